"""Joining a cluster and starting Ray, up to the point where Ray itself would begin."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import ray
from ray import _raylet
from ray._private import services, utils
from ray.exceptions import AuthenticationError

from agents.cluster import ray_session
from agents.cluster.ray_processes import shielded_from_signals
from agents.cluster.ray_session import connect_ray


@pytest.fixture
def inits(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Ray was started with, and the token in the environment."""
    calls: list[dict[str, Any]] = []

    def init(**options: Any) -> None:
        calls.append({**options, "token": os.environ.get("RAY_AUTH_TOKEN")})

    monkeypatch.setattr(ray, "init", init)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    return calls


def test_a_cluster_of_another_version_of_ray_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def init(**_: Any) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray_session, "_check_answers", lambda address: None)
    with pytest.raises(ValueError, match=r"--ray-address x:1: Version .* with: Ray: 2\.9\.0$"):
        connect_ray("x:1")


@pytest.mark.parametrize("ship", [True, False])
def test_the_nodes_of_a_cluster_are_checked_and_import_what_is_sent_or_their_own(
    ship: bool, inits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Any] = []
    monkeypatch.setattr(ray_session, "_check_answers", lambda address: None)
    monkeypatch.setattr(ray_session, "check_nodes", lambda *given: checked.append(given))
    monkeypatch.setenv("PYTHONPATH", "/shared/envs")
    connect_ray("x:1", ship)
    environment = inits[0]["runtime_env"]
    assert checked == [("x:1", ship)] and ("working_dir" in environment) == ship
    assert environment["env_vars"].get("PYTHONPATH") == ("/shared/envs" if ship else None)


def test_a_cluster_whose_nodes_differ_is_left(
    inits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[bool] = []

    def refuse(address: str, ships: bool) -> None:
        raise ValueError("nodes differ")

    monkeypatch.setattr(ray_session, "_check_answers", lambda address: None)
    monkeypatch.setattr(ray_session, "check_nodes", refuse)
    monkeypatch.setattr(ray, "shutdown", lambda: left.append(True))
    with pytest.raises(ValueError, match="nodes differ"):
        connect_ray("x:1")
    assert left


SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""An HTTP/2 server's first frame."""


def answer(headers: bytes) -> bytes:
    """An HTTP/2 server's frames, after those of the connection."""
    window = bytes([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0])
    return SETTINGS + window + bytes([0, 0, len(headers), 1, 4, 0, 0, 0, 1]) + headers


NOT_FOUND, OK = b"\x8d", b"\x88"
"""The compressed headers `:status: 404` and `:status: 200`."""
WEB = b"HTTP/1.1 400 Bad Request\r\n\r\n"
OTHERS = {"silent": b"", "web": WEB, "proxy": answer(NOT_FOUND), "half": SETTINGS}


@pytest.fixture(params=list(OTHERS.values()), ids=list(OTHERS))
def no_cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that is no cluster."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(request.param)
                client.settimeout(20)
                with suppress(OSError):
                    while client.recv(100):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_an_address_where_no_cluster_answers_is_refused_in_time(
    no_cluster: str, inits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_session, "PATIENCE", 0.5)
    started = time.monotonic()
    with pytest.raises(ConnectionError, match=f"--ray-address {no_cluster}: "):
        connect_ray(no_cluster)
    assert time.monotonic() - started < 5 and inits == []


@pytest.mark.parametrize(
    "no_cluster", [answer(OK + b"\0\x0cgrpc-message\x10InvalidAuthToken")], indirect=True
)
def test_a_cluster_with_another_token_is_named_before_ray_starts(
    no_cluster: str, inits: list[Any]
) -> None:
    with pytest.raises(ConnectionError, match="the cluster's token is missing or wrong; set RAY_"):
        connect_ray(no_cluster)
    assert inits == []


def test_an_address_that_nobody_listens_on_or_without_a_port_is_refused(inits: list[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ConnectionError, match="no cluster answers"):
        connect_ray(address)
    for malformed in ("x", "x:", "x:y", "x:0", "x:65536", ":6379", "ray://x:10001"):
        with pytest.raises(ValueError, match=f"--ray-address {malformed}: expected HOST:PORT"):
            connect_ray(malformed)
    with pytest.raises(ConnectionError, match=r"--ray-address x\.\.y:6379: no cluster answers"):
        connect_ray("x..y:6379")
    assert inits == []


def test_a_ray_that_is_started_has_a_random_token_and_no_file_of_it(inits: list[Any]) -> None:
    tokens = set()
    for _ in range(2):
        connect_ray(None)
        tokens.add(os.environ.pop("RAY_AUTH_TOKEN"))
    assert len(tokens) == 2 and all(len(token) == 64 for token in tokens)
    assert {call["token"] for call in inits} == tokens


@pytest.mark.parametrize("name", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"])
def test_a_token_of_the_user_is_kept(
    name: str, inits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "mine")
    connect_ray(None)
    assert os.environ[name] == "mine" and inits[0]["token"] == os.environ.get("RAY_AUTH_TOKEN")
    assert ("RAY_AUTH_TOKEN" in os.environ) == (name == "RAY_AUTH_TOKEN")


@pytest.mark.parametrize("error", [AuthenticationError("no"), ConnectionError("Failed to connect")])
def test_a_cluster_that_refuses_the_token_is_named(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(ray_session, "_check_answers", lambda address: None)
    with pytest.raises(ConnectionError, match=r"--ray-address x:1: .* set RAY_AUTH_TOKEN"):
        connect_ray("x:1")


@pytest.mark.parametrize(("given", "is_refused"), [("", False), ("TOKEN", False), ("k8s", True)])
def test_an_empty_mode_of_authentication_is_the_default(
    given: str, is_refused: bool, inits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", given)
    if is_refused:
        with pytest.raises(ValueError, match="RAY_AUTH_MODE is 'k8s'"):
            connect_ray(None)
    else:
        connect_ray(None)
        assert os.environ["RAY_AUTH_MODE"] == (given or "token")
    assert len(inits) == (not is_refused)


def test_ray_requires_its_token_whatever_was_set_when_it_was_imported(
    inits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    raylet: Any = _raylet  # has no types
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    raylet.Config.initialize("")
    monkeypatch.delenv("RAY_AUTH_MODE")
    connect_ray(None)
    assert raylet.get_authentication_mode() == raylet.AuthenticationMode.TOKEN


def test_processes_of_ray_are_in_another_group() -> None:
    def group() -> int:
        command = ["ps", "-o", "pgid=", "-p"]
        child = services.ConsolePopen(["sleep", "30"])
        try:
            return int(subprocess.check_output([*command, str(child.pid)]))
        finally:
            child.kill()
            child.wait()

    with shielded_from_signals():
        assert group() != os.getpgid(0)
    assert group() == os.getpgid(0), "only while Ray starts"


def test_ray_does_not_replace_a_handler_of_sigterm() -> None:
    def ours(*_: object) -> None: ...

    def theirs(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, ours)
    try:
        with shielded_from_signals():
            utils.set_sigterm_handler(theirs)
        assert signal.getsignal(signal.SIGTERM) is ours
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with shielded_from_signals():
            utils.set_sigterm_handler(theirs)
        assert signal.getsignal(signal.SIGTERM) is theirs
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_temporary_folder_too_long_for_sockets_is_named(
    inits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: Any) -> None:
        raise OSError(
            "validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes"
        )

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ValueError, match=r"temporary folder .* is too long .*: set TMPDIR"):
        connect_ray(None)
