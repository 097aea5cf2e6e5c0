"""Learning curves of runs, drawn and as a table: `scripts/plot.py RUN ...`."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.command import CommandError, plain_errors
from agents.run import Run, RunError

COLUMNS = {
    "frame": "frames",
    "speed/seconds": "seconds",
    "episodes/return": "mean return of the last 1,000 episodes",
    "episodes/solved": "share of the last 1,000 episodes solved",
    "episodes/length": "mean length, steps",
    "loss/entropy": "entropy of the policy, nats",
    "lag/mean": "mean policy lag, updates",
}
"""What a table keeps of a log, and what it is."""


def main(argv: list[str]) -> int:
    """Draw the runs into one figure; keep their curves as one table where asked."""
    parser = argparse.ArgumentParser("plot.py", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--out", type=Path, required=True, help="figure: .png, .svg or .pdf")
    parser.add_argument("--csv", type=Path, help="the same curves as a table")
    parser.add_argument("--points", type=int, default=120, help="rows of the table per run")
    args = parser.parse_args(argv)
    with plain_errors(parser.prog, RunError):
        curves = {run.name: curve_of(run) for run in args.runs}
        if args.csv:
            write_table(args.csv, curves, args.points)
        draw(args.out, curves)
    return 0


def curve_of(folder: Path) -> list[dict[str, Any]]:
    """The logged lines of a run that tell of episodes.

    Raises:
        CommandError: there are none yet.
    """
    lines = [line for line in Run.open(folder).metrics() if "episodes/return" in line]
    if not lines:
        raise CommandError(f"{folder} has no finished episode in its log yet.")
    return lines


def write_table(file: Path, curves: dict[str, list[dict[str, Any]]], points: int) -> None:
    """One row per run and moment, evenly thinned; the last moment is always there."""
    with file.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["run", *COLUMNS])
        for name, lines in curves.items():
            for line in thin(lines, points):
                table.writerow([name, *(_short(line.get(column)) for column in COLUMNS)])


def thin(lines: Sequence[dict[str, Any]], points: int) -> list[dict[str, Any]]:
    """At most about so many lines, the last included."""
    return list(lines[:: -max(1, len(lines) // points)])[::-1]


def draw(out: Path, curves: dict[str, list[dict[str, Any]]]) -> None:
    """Return, and solved rate where there is one, over frames and over time.

    Raises:
        CommandError: matplotlib is missing, or cannot write such a file.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise CommandError("plotting needs matplotlib: pip install 'engram[plot]'.") from None
    solved = any("episodes/solved" in line for lines in curves.values() for line in lines)
    what = "episodes/solved" if solved else "episodes/return"
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (by, unit, scale) in zip(
        axes, (("frame", "million frames", 1e6), ("speed/seconds", "minutes", 60)), strict=True
    ):
        for name, lines in curves.items():
            kept = [line for line in lines if what in line and by in line]
            axis.plot(
                [line[by] / scale for line in kept], [line[what] for line in kept], label=name
            )
        axis.set_xlabel(unit)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(COLUMNS[what])
    axes[0].legend()
    try:
        figure.savefig(out, dpi=120)
    except (ValueError, OSError) as error:
        raise CommandError(f"--out {out}: {error}") from None


def _short(value: float | int | None) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
