"""CPU time and memory of a process and of all that descend from it, as `/proc` tells them."""

import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Memory(NamedTuple):
    """Of a whole process tree, in MiB."""

    resident: float
    """Summed over the processes: what they share counts once for each."""
    proportional: float
    """What processes share is split between them, so this is what the tree takes in truth."""
    processes: int


def family(process: int) -> set[int]:
    """The process and all that descend from it."""
    parents = {number: int(fields[1]) for number, fields in _stats().items()}
    found, grown = {process}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found


def cpu_seconds(process: int) -> float:
    """CPU time of a process tree, that of members which have ended included."""
    members, stats = family(process), _stats()
    # User and system time of the process itself, then of its children that ended.
    ticks = sum(sum(map(int, stats[member][11:15])) for member in members if member in stats)
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> Memory:
    """Memory of a process tree now."""
    resident, proportional, processes = 0, 0, 0
    for member in family(process):
        try:
            text = (PROC / str(member) / "smaps_rollup").read_text()
        except OSError:  # it ended meanwhile
            continue
        sizes = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
        resident += sizes["Rss:"]
        proportional += sizes["Pss:"]
        processes += 1
    return Memory(resident / 1024, proportional / 1024, processes)


def end(process: subprocess.Popen, patience: float = 20.0) -> None:
    """Ask a process to end, and make an end of whatever of its tree is left after `patience`."""
    members = family(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        members |= family(process.pid)
        process.kill()
        process.wait()
    for member in members - {process.pid}:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _stats() -> dict[int, list[str]]:
    """Of each process, what follows its name in `/proc/PID/stat`: state, parent, and so on."""
    found = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended meanwhile
            continue
    return found
