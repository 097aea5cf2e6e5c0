"""CPU time and memory of a process and its descendants, from `/proc`."""

import os
import signal
import subprocess
from typing import NamedTuple

from agents.faults.processes import PROC, family, process_stats


class Memory(NamedTuple):
    """Memory of a process tree, in MiB."""

    resident: float
    """Sum over the processes; shared memory counts once for each."""
    proportional: float
    """Sum over the processes; shared memory is divided between them, so it counts once."""
    processes: int


def cpu_seconds(process: int) -> float:
    """CPU time of a process tree, including members that have ended."""
    members, stats = family(process), process_stats()
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
    """Terminate a process, and kill what is left of its tree after `patience` seconds."""
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
