"""Learning curves of runs, and their table."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.cli.command import CommandError
from agents.cli.program import Program
from agents.cli.yaml_file import is_mapping, read_yaml
from agents.impala.program import IMPALA
from agents.runs.metrics.metrics_log import METRICS
from agents.runs.run import Run
from agents.supervised.program import SUPERVISED

LARGEST_NUMBER = 1e300
"""That is drawn."""


class Kind(NamedTuple):
    """How the log of a program is plotted."""

    program: Program
    unit: str
    """Unit of the frame axis, and its number of frames."""
    scale: float
    columns: dict[str, str]
    """Columns of the table, with a description."""
    drawn: tuple[str, ...]
    """Columns to plot; the first that a log has is plotted."""


EPISODES = Kind(
    IMPALA,
    "million frames",
    1e6,
    {
        "frame": "frames",
        "speed/seconds": "seconds",
        "episodes/return": "mean return of the last 1,000 episodes",
        "episodes/solved": "share of the last 1,000 episodes solved",
        "episodes/length": "mean length, steps",
        "loss/entropy": "entropy of the policy, nats",
        "lag/mean": "mean policy lag, updates",
    },
    ("episodes/solved", "episodes/return"),
)
ANSWERS = Kind(
    SUPERVISED,
    "thousand updates",
    1e3,
    {
        "frame": "updates",
        "speed/seconds": "seconds",
        "train/loss": "loss in training, nats",
        "train/accuracy": "accuracy in training",
        "validation/loss": "loss on the validation set, nats",
        "validation/accuracy": "accuracy on the validation set",
        "validation/answer_accuracy": "share of correct answers on the validation set",
        "validation/recall": "recall on the validation set",
        "validation/f1": "weighted F1 on the validation set",
        "validation/sequence_accuracy": "share of correct sequences on the validation set",
        "validation/perplexity": "perplexity on the validation set",
    },
    (
        "validation/perplexity",
        "validation/answer_accuracy",
        "validation/recall",
        "validation/accuracy",
    ),
)


class Curve(NamedTuple):
    """The plottable lines of a run's log."""

    kind: Kind
    lines: list[dict[str, Any]]

    def has(self, column: str) -> bool:
        """Whether any line has a column."""
        return any(column in line for line in self.lines)


def curve_of(folder: Path, metric: str | None = None) -> Curve:
    """The logged lines of a run with a column to plot.

    Args:
        metric: the column; None takes the main ones.

    Raises:
        CommandError: there are none.
    """
    kind = ANSWERS if _is_supervised(folder / "config.yaml") else EPISODES
    columns = (metric,) if metric else kind.drawn
    logged = with_seconds([_numbers(line) for line in Run.open(folder, kind.program).metrics()])
    if not logged:
        raise CommandError(f"{folder}: its log, {METRICS}, has no lines.")
    lines = [line for line in logged if any(column in line for column in columns)]
    if not lines and metric is None:
        what = "validation" if kind is ANSWERS else "finished episode"
        raise CommandError(f"{folder} has no {what} in its log yet.")
    return Curve(kind, lines or logged)


def _is_supervised(config: Path) -> bool:
    if not config.is_file():
        return False  # opening the run explains it
    found = read_yaml(config, 0).values
    return is_mapping(found) and "task" in found


def _numbers(line: dict[str, Any]) -> dict[str, Any]:
    """What can be drawn of a line."""
    return {
        name: value
        for name, value in line.items()
        if isinstance(value, int | float) and abs(value) < LARGEST_NUMBER
    }


def with_seconds(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Interpolate the time of the run in lines without it."""
    known = [line for line in lines if "speed/seconds" in line]
    if not known:
        return lines
    at = np.interp(
        [line["frame"] for line in lines],
        [line["frame"] for line in known],
        [line["speed/seconds"] for line in known],
    )
    return [{"speed/seconds": s} | line for s, line in zip(at.tolist(), lines, strict=True)]


def write_table(
    file: Path, curves: dict[str, Curve], points: int, metric: str | None = None
) -> None:
    """Write one row per run and logged frame, evenly thinned; the last one is kept.

    Args:
        metric: a column to write beside the usual ones.
    """
    usual = [*next(iter(curves.values())).kind.columns]
    if metric is not None and metric not in usual:
        usual.append(metric)
    columns = [
        column
        for column in usual
        if any(column in line for curve in curves.values() for line in curve.lines)
    ]
    with file.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["run", *columns])
        for name, curve in curves.items():
            for line in thin(curve.lines, points):
                table.writerow([name, *(_short(line.get(column)) for column in columns)])


def thin(lines: Sequence[dict[str, Any]], points: int) -> list[dict[str, Any]]:
    """About `points` lines at most, including the last."""
    return list(lines[:: -max(1, len(lines) // points)])[::-1]


def _short(value: float | int | None) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
