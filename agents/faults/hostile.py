"""Numbers that are not finite, files from strangers, and other users of the network."""

import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from agents.cli.command_line import parse
from agents.cli.exit_status import OK
from agents.faults.processes import (
    PROC,
    SMALL,
    Program,
    descendants,
    environment,
    name_of,
    sockets_of,
)
from agents.faults.row import Failed, Row
from agents.impala.build import build_learner, build_policy, build_rollout
from agents.impala.learning.learner import NotFinite
from agents.impala.program import IMPALA
from agents.runs.checkpoint import CheckpointError
from agents.runs.run import Run, RunError
from agents.runs.weights import flatten

LARGEST_SECONDS = 1.0
_JOIN = "import ray, sys; ray.init(address=sys.argv[1], logging_level='CRITICAL')"


def not_finite(folder: Path, count: int) -> Row:
    """Updates from batches with a reward that is not finite."""
    config = parse(SMALL.split(), IMPALA).config
    learner = build_learner(config, build_policy(config))
    rollout = build_rollout(config, build_policy(config), range(4))
    refused = changed = 0
    for number in range(count):
        batch = rollout.unroll(0).trajectory
        value = (float("nan"), float("inf"), float("-inf"))[number % 3]
        batch.inputs.last_rewards[1 + number % config.unroll, number % 4] = value
        before = flatten(learner.policy).clone()
        try:
            learner.update(batch)
        except NotFinite:
            refused += 1
        changed += not torch.equal(before, flatten(learner.policy))
    learner.update(rollout.unroll(0).trajectory)
    finite = bool(flatten(learner.policy).isfinite().all())
    return Row(
        f"{count} batches with a reward of NaN or infinity",
        f"{refused} refused, {changed} changed the weights; the next good batch leaves them "
        + ("finite" if finite else "not finite"),
        f"{count} refused, 0 changed, finite",
        refused == count and not changed and finite,
    )


class _Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.file),)


def hostile_files(folder: Path, count: int) -> Row:
    """Put hostile contents in the place of each file of a run, and load it."""
    options = SMALL.replace("1000000000", "400") + " --workers 0"
    with Program(folder, "impala.py", options) as run:
        if run.end(120.0) != OK:
            raise Failed(run.words)
    executed = folder / "executed"
    contents = _contents(executed)
    newest = Run.open(run.run, IMPALA).load().path
    for other in newest.parent.glob("0*"):
        if other != newest:
            shutil.rmtree(other)
    files = [*newest.iterdir(), run.run / "config.yaml"]
    cases = [(file, name) for file in sorted(files) for name in contents][:count]
    errors, longest, wrong = 0, 0.0, list[str]()
    for file, name in cases:
        whole = file.read_bytes()
        file.unlink()
        contents[name](file)
        started = time.monotonic()
        try:
            Run.open(run.run, IMPALA).load()
            wrong.append(f"{file.name}: {name}")
        except (RunError, CheckpointError):
            errors += 1
        longest = max(longest, time.monotonic() - started)
        file.unlink()
        file.write_bytes(whole)
    return Row(
        f"{len(cases)} hostile files in a run folder",
        f"{errors} refused, within {longest:.2f} s; code run: {executed.exists()}"
        + (f"; accepted: {', '.join(wrong)}" if wrong else ""),
        f"{len(cases)} within {LARGEST_SECONDS:g} s, no code run",
        errors == len(cases) and longest <= LARGEST_SECONDS and not executed.exists(),
    )


def _contents(executed: Path) -> dict[str, Callable[[Path], object]]:
    """Functions that create a hostile file, by what it is."""
    payload = pickle.dumps(_Payload(executed))
    aliases = b"a: &a [x, x]\n" + b"".join(
        b"%c: &%c [*%c, *%c]\n" % (98 + i, 98 + i, 97 + i, 97 + i) for i in range(24)
    )
    header = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    texts = {
        "a pickle": payload,
        "deep JSON": b"[" * 200_000,
        "deep YAML": b"{a: " * 5_000,
        "YAML aliases": aliases,
        "a YAML tag": b"!!python/object/apply:os.mkdir ['" + str(executed).encode() + b"']",
        "a tensor of 4 TB": len(header).to_bytes(8, "little") + header,
        "zeros": bytes(1_000_000),
        "nothing": b"",
    }
    writers: dict[str, Callable[[Path], object]] = {
        name: lambda file, data=data: file.write_bytes(data) for name, data in texts.items()
    }
    writers["a pipe"] = lambda file: os.mkfifo(file)
    writers["an endless device"] = lambda file: file.symlink_to("/dev/zero")
    return writers


def listeners(folder: Path, count: int) -> Row:
    """Try to join the Ray of a run without its token; `--workers 0` listens nowhere."""
    with Program(folder / "alone", "impala.py", f"{SMALL} --workers 0") as run:
        run.wait_for_updates(3)
        alone = len(_listening(run.process.pid))
    joined = 0
    with Program(folder / "ray", "impala.py", f"{SMALL} --workers 1") as run:
        run.wait_for_updates(3)
        ports = _listening(run.process.pid)
        address = _gcs_address(run.process.pid)
        for number in range(count):
            options = {"RAY_AUTH_MODE": "disabled" if number % 2 else "token"}
            if not number % 2:
                options["RAY_AUTH_TOKEN"] = "0" * 64
            joined += _joins(address, options)
        run.wait_for_updates(3)
    return Row(
        f"{count} tries to join a run's Ray without its token, or with a wrong one",
        f"{joined} joined; {len(ports)} ports listen with Ray, {alone} with --workers 0",
        "0 joined, none with --workers 0",
        not joined and not alone,
    )


def _joins(address: str, options: dict[str, str]) -> bool:
    """Whether a stranger's driver joins a cluster."""
    own = {k: v for k, v in environment().items() if not k.startswith("RAY_AUTH")} | options
    command = [sys.executable, "-c", _JOIN, address]
    try:
        done = subprocess.run(command, env=own, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _gcs_address(driver: int) -> str:
    for number, name in descendants(driver).items():
        if "gcs_server_port=" in name or "gcs/gcs_server " in name:
            words = name_of(number).split()
            found = {word.split("=")[0]: word.split("=")[-1] for word in words if "=" in word}
            port, host = found.get("--gcs_server_port"), found.get("--node-ip-address")
            if port and port != "0" and host:
                return f"{host}:{port}"
        if "--gcs-address=" in name:
            return name.split("--gcs-address=")[1].split()[0]
    raise Failed("the address of Ray was not found")


def _listening(driver: int) -> set[int]:
    """Ports on which a process and its descendants listen."""
    sockets = {name for n in {driver, *descendants(driver)} for name in sockets_of(n)}
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports
