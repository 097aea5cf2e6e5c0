"""Starts Ray or joins a cluster, and leaves it."""

# pyright: standard

import logging
import os
import secrets
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import ray
from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]
from ray.exceptions import AuthenticationError

from agents.cluster.grpc_greeting import greet
from agents.cluster.installation import installation
from agents.cluster.nodes import check_nodes
from agents.cluster.ray_processes import shielded_from_signals
from agents.cluster.shipping import ROOT, sources

PATIENCE = 5.0
"""Seconds in which the host of a cluster must answer."""
MODE = "RAY_AUTH_MODE"
TOKEN, TOKEN_FILE = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
"""Environment variables from which Ray takes its token; otherwise it makes a file that other users
can read."""
_DEFAULT_FILE = Path("~/.ray/auth_token")
_REFUSED = b"InvalidAuthToken"
"""In the answer of a cluster with another token."""


def connect_ray(ray_address: str | None, ship: bool = True) -> None:
    """Join the cluster at an address, or start Ray on this machine without a dashboard.

    A Ray that is started here has a random token of its own, in the environment of its processes,
    unless the user has set one; its workers import this project from its folder. Workers compute
    with one thread that does not spin while it waits: on shared cores spinning slows a learner down
    by an order of magnitude.

    Args:
        ship: send the project's sources to the nodes of the cluster; otherwise they import what is
            installed there.

    Raises:
        ValueError: Ray's token authentication is switched off, the address is malformed, the name
            of the temporary folder is too long, or nodes have other code or versions.
        ConnectionError: there is no cluster at the address.
    """
    mode = os.environ.get(MODE) or "token"
    if mode.lower() != "token":
        raise ValueError(
            f"{MODE} is {mode!r}, expected token: Ray listens on all "
            "interfaces, and without its token anyone who can reach this machine can run programs "
            "on it. Unset it."
        )
    os.environ[MODE] = mode
    Config.initialize("")  # since Ray reads the mode when it is imported
    if ray_address:
        installation()  # of the sources that are sent, before they can change
        _check_answers(ray_address)
    elif not (os.environ.get(TOKEN) or os.environ.get(TOKEN_FILE)):
        os.environ[TOKEN] = secrets.token_hex(32)
    try:
        with shielded_from_signals(), sources(ship and bool(ray_address)) as sent:
            ray.init(
                address=ray_address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": _environment(ray_address, ship), **sent},
                include_dashboard=None if ray_address else False,
            )
    except AuthenticationError:
        raise ConnectionError(_wrong_token(str(ray_address))) from None
    except ConnectionError as error:
        hint = "" if ray_address == "auto" else f" Its token may be missing or wrong: set {TOKEN}."
        raise ConnectionError(f"--ray-address {ray_address}: {error}.{hint}") from None
    except OSError as error:
        if "AF_UNIX" not in str(error):
            raise
        raise ValueError(
            f"The name of the temporary folder {tempfile.gettempdir()} is too long for Ray's "
            "sockets: set TMPDIR to a shorter one, such as /tmp."
        ) from None
    except RuntimeError as error:
        if "Version mismatch" not in str(error):
            raise
        raise ValueError(f"--ray-address {ray_address}: {' '.join(str(error).split())}") from None
    if ray_address:
        try:
            check_nodes(ray_address, ship)
        except BaseException:
            leave_ray()
            raise


def leave_ray() -> None:
    """Leave the cluster; stops Ray if this process started it."""
    ray.shutdown()


def _environment(ray_address: str | None, ship: bool) -> dict[str, str]:
    """Variables of the processes of workers.

    What is sent to a cluster comes before this path of modules; without `ship`, the nodes' own is
    used.
    """
    variables = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    paths = ["" if ray_address else str(ROOT), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    return variables | ({"PYTHONPATH": path} if path and (ship or not ray_address) else {})


def _check_answers(address: str) -> None:
    """Send a request to the host at an address as gRPC does, since Ray itself tries for long.

    Raises:
        ValueError: the address is malformed.
        ConnectionError: no cluster answers, or it has another token.
    """
    if address in ("auto", "local"):
        return
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not (colon and host and "/" not in host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"--ray-address {address}: expected HOST:PORT, such as 10.0.0.1:6379.")
    try:
        if os.environ.get("RAY_USE_TLS"):
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
            return
        answer = greet(host, int(port), _token(), PATIENCE)
    except (OSError, UnicodeError) as error:
        raise ConnectionError(f"--ray-address {address}: no cluster answers: {error}.") from None
    if answer is None:
        raise ConnectionError(f"--ray-address {address}: what answers there is no Ray cluster.")
    if _REFUSED in answer:
        raise ConnectionError(_wrong_token(address))


def _wrong_token(address: str) -> str:
    return f"--ray-address {address}: the cluster's token is missing or wrong; set {TOKEN}."


def _token() -> str:
    """The token that Ray will use; empty if there is none."""
    if token := os.environ.get(TOKEN):
        return token
    file = Path(os.environ.get(TOKEN_FILE) or _DEFAULT_FILE).expanduser()
    with suppress(OSError):
        return file.read_text().strip()
    return ""
