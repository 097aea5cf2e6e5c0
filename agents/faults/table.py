"""The kinds of faults, how often each is caused, and the table of what was measured."""

import csv
import io
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from agents.faults import environment_faults, files, hostile, kills, learners, nodes, pauses
from agents.faults.row import Row
from agents.faults.soak import soak
from agents.runs.atomic import atomic_write
from agents.runs.versions import versions

Fault = Callable[[Path, int], Row]
"""Takes an empty folder and how often the fault is caused; measures."""


class Kind(NamedTuple):
    """A kind of fault."""

    cause: Fault
    small: int
    """How often by default."""
    full: int
    """How often with `--full`."""
    unit: str = "times"


KINDS: dict[str, Kind] = {
    "workers": Kind(kills.kill_workers, 3, 100),
    "all_workers": Kind(kills.kill_all_workers, 2, 20),
    "learners": Kind(learners.kill_learners, 1, 5),
    "node_losses": Kind(nodes.lose_nodes, 2, 10),
    "learner": Kind(kills.kill_learner, 3, 20),
    "saving": Kind(kills.kill_while_saving, 5, 200),
    "pauses": Kind(pauses.pauses, 2, 10),
    "daemons": Kind(kills.daemons, 2, 20),
    "signals": Kind(kills.signals, 4, 50),
    "early_signals": Kind(kills.early_signals, 4, 50),
    "flips": Kind(files.flips, 1000, 1000),
    "disk_full": Kind(files.disk_full, 3, 20),
    "two_runs": Kind(files.two_runs, 3, 30),
    "slow_disk": Kind(files.slow_disk, 30, 120, "seconds"),
    "not_finite": Kind(hostile.not_finite, 100, 100),
    "environments": Kind(environment_faults.environments, 1, 10),
    "leaks": Kind(environment_faults.leaks, 15, 120, "seconds"),
    "hostile_files": Kind(hostile.hostile_files, 50, 50),
    "listeners": Kind(hostile.listeners, 2, 20),
    "soak": Kind(soak, 2, 120, "minutes"),
}


COLUMNS = ("name", "fault", "measured", "goal", "met", "commit")


def write(folder: Path, rows: Sequence[tuple[str, Row]]) -> None:
    """Add rows to `faults.csv`, in place of those of the same names, and write `faults.md`."""
    file = folder / "faults.csv"
    kept = {row["name"]: row for row in _read(file)}
    commit = str(versions().get("commit", ""))[:7]
    for name, row in rows:
        if row.figure:
            atomic_write(folder / _figure(name), row.figure)
        kept[name] = {
            "name": name,
            "fault": row.fault,
            "measured": row.measured,
            "goal": row.goal,
            "met": "yes" if row.passed else "no",
            "commit": commit,
        }
    ordered = [kept[name] for name in [*KINDS, *(kept.keys() - KINDS.keys())] if name in kept]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([row[column] for column in COLUMNS] for row in ordered)
    atomic_write(file, text.getvalue())
    figures = [row["name"] for row in ordered if (folder / _figure(row["name"])).exists()]
    atomic_write(folder / "faults.md", _page(ordered, figures))


def _read(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _figure(name: str) -> str:
    return f"faults_{name}.svg"


def _page(rows: Sequence[dict[str, str]], figures: Sequence[str]) -> str:
    machine = f"{os.cpu_count()} CPUs ({platform.machine()}), beside other programs"
    lines = [
        "# Faults",
        "",
        "What runs make of faults that are caused on purpose. `python scripts/faults.py NAME` "
        "measures a row, `all` all of them, `--full` in the sizes of the goals; what happens when "
        f"something fails is in [faults](../faults.md). Machine: {machine}.",
        "",
        "| Name | Fault | Measured | Goal | Met | Commit |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in row.values())} |" for row in rows),
        *(f"\n![{name}]({_figure(name)})" for name in figures),
    ]
    return "\n".join(lines) + "\n"
