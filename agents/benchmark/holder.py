"""A lock on the output folder of a benchmark: one process at a time, and one plan."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agents.cli.command import CommandError
from agents.runs.folder_lock import FolderInUse, FolderLock
from memory.regular_file import read_regular

LOCK, PLAN = ".queue.lock", "plan.txt"


@contextmanager
def held(out: Path, plan: Path) -> Generator[None, None, None]:
    """Lock a folder for the runs of a plan.

    Raises:
        CommandError: another process uses it, or it has the runs of another plan.
    """
    check_plan(out, plan)
    out.mkdir(parents=True, exist_ok=True)
    try:
        lock = FolderLock(out, LOCK)
    except FolderInUse as error:
        raise CommandError(str(error)) from None
    try:
        (out / PLAN).write_text(plan.stem + "\n")
        yield
    finally:
        lock.release()


def check_plan(out: Path, plan: Path) -> None:
    """Raise a `CommandError` if a folder has the runs of another plan."""
    file = out / PLAN
    if not file.exists():
        return
    try:
        name = read_regular(file, 10_000).decode(errors="replace").strip()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    if name != plan.stem:
        raise CommandError(
            f"{out} has the runs of the plan {name}, not of {plan.stem}; use another --out."
        )
