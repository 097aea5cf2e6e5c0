"""Learning curves as a figure: one line for each run, or for the seeds of one setting."""

# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.benchmark.curves import Curve
from agents.cli.command import CommandError
from agents.cli.options import nearest
from agents.cli.presets import to_yaml
from agents.runs.run import Run

AXES: dict[str, tuple[str, float]] = {
    "frames": ("frame", 1.0),
    "minutes": ("speed/seconds", 60.0),
    "hours": ("speed/seconds", 3600),
}
"""Column of a log for each x axis, and what it is divided by; frames have a unit of their own."""
POINTS = 200
"""Number of points at which the curves of several seeds are averaged."""


class Line(NamedTuple):
    """The curves that are drawn as one line."""

    label: str
    curves: list[Curve]


def lines_of(curves: dict[Path, Curve], *, join_seeds: bool) -> list[Line]:
    """One line for each run, or for the runs that differ in nothing but their seeds."""
    if not join_seeds:
        return [Line(folder.name, [curve]) for folder, curve in curves.items()]
    groups: dict[str, list[Path]] = {}
    for folder, curve in curves.items():
        run = Run.open(folder, curve.kind.program)
        same = to_yaml(run.program, replace(run.config, seed=0), run.names)
        groups.setdefault(same, []).append(folder)
    return [
        Line(f"{folders[0].name} ({len(folders)})", [curves[folder] for folder in folders])
        for folders in groups.values()
    ]


def choose_column(curves: Sequence[Curve], metric: str | None) -> str:
    """The column to draw: the metric, or by default the main one that is logged.

    Raises:
        CommandError: no run has the metric; names the nearest.
    """
    logged = sorted({column for curve in curves for line in curve.lines for column in line})
    if metric is None:
        return next(column for column in curves[0].kind.drawn if column in logged)
    if metric not in logged:
        raise CommandError(f"--metric {metric}: no run has it. {nearest(metric, logged)}")
    return metric


def draw(out: Path, lines: Sequence[Line], column: str, axes: Sequence[str], smooth: int) -> None:
    """Draw a column against each of the axes.

    A line of several curves is their mean, with a band from the least to the greatest. A curve of
    one point is a marker.

    Args:
        axes: keys of `AXES`.
        smooth: lines of the log to average.

    Raises:
        CommandError: matplotlib is missing, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise CommandError("plotting needs matplotlib: pip install 'engram[plot]'.") from None
    kind = lines[0].curves[0].kind
    figure = Figure(figsize=(5 * len(axes), 4), layout="constrained")
    panels = figure.subplots(1, len(axes), sharey=True, squeeze=False)[0]
    for panel, name in zip(panels, axes, strict=True):
        by, scale = AXES[name]
        scale = kind.scale if name == "frames" else scale
        for number, line in enumerate(lines):
            drawn = [_points(curve, column, by, smooth) for curve in line.curves]
            _draw_line(panel, line.label, f"C{number % 10}", [(x / scale, y) for x, y in drawn])
        panel.set_xlabel(kind.unit if name == "frames" else name)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(kind.columns.get(column, column))
    panels[0].legend()
    try:
        figure.savefig(out, dpi=120)
    except (ValueError, OSError) as error:
        raise CommandError(f"--out {out}: {error}") from None


def _points(curve: Curve, column: str, by: str, smooth: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and values, each value the mean of it and the `smooth - 1` before."""
    kept = [line for line in curve.lines if column in line and by in line]
    values = np.array([line[column] for line in kept], float)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - smooth, 0)
    means = (sums[ends] - sums[starts]) / (ends - starts)
    return np.array([line[by] for line in kept], float), means


def _draw_line(
    panel: Any, label: str, colour: str, drawn: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    if len(drawn) == 1:
        places, mean = drawn[0]
    else:
        places, values = average(drawn)
        mean = values.mean(0)
        panel.fill_between(places, values.min(0), values.max(0), color=colour, alpha=0.2, lw=0)
    panel.plot(places, mean, colour, label=label, marker="o" if len(places) == 1 else None)


def average(drawn: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Common places `[points]`, and the values of each curve there `[curves, points]`.

    The places are those that all curves have: from the last start to the first end.
    """
    start, end = max(float(x[0]) for x, _ in drawn), min(float(x[-1]) for x, _ in drawn)
    places = np.linspace(start, max(start, end), POINTS if end > start else 1)
    return places, np.stack([np.interp(places, x, y) for x, y in drawn])
