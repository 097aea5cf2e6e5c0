"""A web server on this machine that answers well or badly, for tests of downloads."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import NamedTuple


class Answer(NamedTuple):
    """What an address gives."""

    body: bytes = b""
    status: int = 200
    declared: int | None = None
    """Length that the header claims, if not the true one."""
    stall: Event | None = None
    """Waits for this after the body, so that the rest never comes."""


class LocalServer:
    """Answers by path; a list is answered one by one, the last again and again."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.asked: list[str] = []

    def answer(self, path: str) -> Answer:
        """The next answer of a path."""
        self.asked.append(path)
        found = self.answers.get(path, Answer(status=404))
        if isinstance(found, Answer):
            return found
        return found.pop(0) if len(found) > 1 else found[0]


@contextmanager
def serving() -> Iterator[LocalServer]:
    """A server while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = server.answer(self.path)
            self.send_response(found.status)
            length = len(found.body) if found.declared is None else found.declared
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(found.body)
            if found.stall:
                found.stall.wait(60)

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = LocalServer(http.server_port)
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
