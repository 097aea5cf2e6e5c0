"""One queue at a time on a folder, and one plan."""

import fcntl
import json
import os
import platform
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agents.cli.command import CommandError

LOCK, PLAN = ".queue.lock", "plan.txt"


@contextmanager
def held(out: Path, plan: Path) -> Generator[None, None, None]:
    """Hold a folder for the runs of a plan.

    Raises:
        CommandError: another process holds it, or it has the runs of another plan.
    """
    _check_plan(out, plan)
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(f"{out} is in use by {_holder(out)}.") from None
        lock.truncate(0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        json.dump({"pid": os.getpid(), "host": platform.node(), "since": since}, lock)
        lock.flush()
        (out / PLAN).write_text(plan.stem + "\n")
        yield


def _check_plan(out: Path, plan: Path) -> None:
    file = out / PLAN
    if file.exists() and (name := file.read_text().strip()) != plan.stem:
        raise CommandError(
            f"{out} has the runs of the plan {name}, not of {plan.stem}; give another --out."
        )


def _holder(out: Path) -> str:
    try:
        holder = json.loads((out / LOCK).read_text())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
