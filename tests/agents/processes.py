"""The processes that a program started."""

import subprocess
from pathlib import Path
from typing import Any


def descendants(process: subprocess.Popen[Any]) -> dict[int, str]:
    """Numbers of all processes that stem from one, with their command lines."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    family = {process.pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return {number: name_of(number) for number in family - {process.pid}}


def name_of(number: int) -> str:
    """Command line of a process; empty if there is none."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
