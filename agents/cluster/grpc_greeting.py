"""Sends a request of gRPC to an address and reads how the answer begins.

If another server answers at an address, or the cluster does not accept its token, Ray tries for
half a minute and prints a line each second.

Source: RFC 9113 (HTTP/2, sections 3.4, 4.1 and 6) and RFC 7541 (its compressed headers, section 6
and appendix A).
"""

import socket
import time
from typing import BinaryIO

PATH = "/ray.rpc.NodeInfoGcsService/GetClusterId"
"""Of a request without arguments."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
"""Types of frames."""
_OF_CONNECTION = range(_SETTINGS, 10)
"""Types that may come before the answer."""
_END_STREAM, _END_HEADERS = 1, 4
"""Flags of frames."""
_LARGEST = 1 << 14
"""Bytes of a frame, unless both sides agree on more."""
_STREAM = 1
_POST, _HTTP = b"\x83", b"\x86"
"""The method and the scheme of a request, entries of the table of headers."""
_AUTHORITY, _PATH, _AUTHORIZATION, _CONTENT_TYPE = 1, 4, 23, 31
"""Names in the table of headers."""
_STATUS_OK = b"\x88"
"""`:status: 200`, with which each answer of gRPC begins, also one that is an error."""
_EMPTY_MESSAGE = bytes(5)


def greet(host: str, port: int, token: str, seconds: float) -> bytes | None:
    """The compressed headers of the answer; None if it is not one of gRPC.

    Args:
        token: of the cluster; empty sends none.
        seconds: in which the host must answer.

    Raises:
        OSError: nobody answers, or the connection ends before.
    """
    end = time.monotonic() + seconds
    request = _PREFACE + _frame(_SETTINGS, 0, 0, b"") + _request(f"{host}:{port}", token)
    with (
        socket.create_connection((host, port), timeout=seconds) as server,
        server.makefile("rb") as stream,
    ):
        server.sendall(request)
        expected = {_SETTINGS}  # first
        while time.monotonic() < end:
            head = _read(stream, 9)
            kind, length = head[3], int.from_bytes(head[:3])
            if kind not in expected or length > _LARGEST:
                return None
            content = _read(stream, length)
            if kind == _HEADERS:
                # A change of the table's size may come before the status.
                return content if _STATUS_OK in content[:4] else None
            expected = {_HEADERS, *_OF_CONNECTION}
    raise TimeoutError("timed out")


def _request(authority: str, token: str) -> bytes:
    headers = _POST + _HTTP + _header(_PATH, PATH) + _header(_AUTHORITY, authority)
    headers += _header(_CONTENT_TYPE, "application/grpc") + b"\0" + _text("te") + _text("trailers")
    if token:
        headers += _header(_AUTHORIZATION, f"Bearer {token}")
    return _frame(_HEADERS, _END_HEADERS, _STREAM, headers) + _frame(
        _DATA, _END_STREAM, _STREAM, _EMPTY_MESSAGE
    )


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


def _header(name: int, value: str) -> bytes:
    """A header whose name is in the table, and which is not added to it."""
    return _number(name, 4) + _text(value)


def _text(value: str) -> bytes:
    content = value.encode()
    return _number(len(content), 7) + content


def _number(value: int, bits: int) -> bytes:
    """An integer whose first byte has so many bits for it (RFC 7541, section 5.1)."""
    largest = (1 << bits) - 1
    if value < largest:
        return bytes([value])
    rest, value = [largest], value - largest
    while value >= 128:
        rest.append(128 + value % 128)
        value //= 128
    return bytes([*rest, value])


def _read(stream: BinaryIO, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise ConnectionError("the connection ended before an answer")
    return content
