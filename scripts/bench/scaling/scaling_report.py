"""Measured and expected results of `scaling.py`: slopes, the table and the figure."""

import csv
import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FIELDS = ("axis", "value", "part", "core", "measured", "expected", "unit")


class Line(NamedTuple):
    """One quantity along one axis."""

    axis: str
    part: str
    core: str
    unit: str
    """Unit of both lists of figures."""
    values: list[int]
    """Values of the axis, increasing; at least two above zero."""
    measured: list[float]
    expected: list[float]

    @property
    def name(self) -> str:
        """Name in a plot of its axis."""
        return f"{self.part} {self.core}".strip()


def anchored(work: Sequence[float], measured: Sequence[float]) -> list[float]:
    """A curve proportional to the work that equals the last measured value."""
    return [amount * measured[-1] / work[-1] for amount in work]


def slope(values: Sequence[float], figures: Sequence[float]) -> float:
    """Slope on log axes over the larger half of the values, by least squares, without zeros.

    Small sizes are left out: the constant cost of a call dominates there.
    """
    points = [(math.log(x), math.log(y)) for x, y in zip(values, figures, strict=True) if x > 0]
    half = points[min(len(points) // 2, len(points) - 2) :]
    return statistics.linear_regression(*zip(*half, strict=True)).slope


def rows(lines: Sequence[Line]) -> Iterator[tuple[str | int, ...]]:
    """A row of `FIELDS` for each point of each line."""
    for line in lines:
        for value, *figures in zip(line.values, line.measured, line.expected, strict=True):
            measured, expected = (f"{figure:.4g}" for figure in figures)
            yield line.axis, value, line.part, line.core, measured, expected, line.unit


def write(lines: Sequence[Line], file: Path) -> None:
    """The rows as CSV."""
    with file.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(FIELDS)
        table.writerows(rows(lines))


def table(lines: Sequence[Line]) -> str:
    """Slopes, measured and expected, as Markdown."""
    head = [
        "| part | against | at the last | measured slope | expected slope |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(head + [_row(line) for line in lines])


def draw(lines: Sequence[Line], file: Path, columns: int = 4) -> None:
    """One panel per axis and unit, on log axes: measured solid, expected dotted."""
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((line.axis, line.unit) for line in lines))
    height = -(-len(panels) // columns)
    figure = Figure(figsize=(3.4 * columns, 3 * height), layout="constrained")
    grid = figure.subplots(height, columns, squeeze=False).flat
    for axes, (axis, unit) in zip(grid, panels, strict=False):
        here = [line for line in lines if (line.axis, line.unit) == (axis, unit)]
        for line in here:
            (drawn,) = axes.plot(line.values, line.measured, "o-", ms=3, label=line.name)
            axes.plot(line.values, line.expected, ":", color=drawn.get_color())
        ticks = sorted({value for line in here for value in line.values})
        axes.set_xscale("symlog", linthresh=1)  # zero workers is a valid value
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks], fontsize=8)
        axes.set(yscale="log", xlabel=axis, ylabel=unit)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    for axes in grid:
        axes.set_axis_off()
    figure.savefig(file, dpi=120)


def _row(line: Line) -> str:
    slopes = [f"{slope(line.values, of):.2f}" for of in (line.measured, line.expected)]
    against = f"{line.axis}, {line.values[0]:,} to {line.values[-1]:,}"
    return (
        f"| {line.name} | {against} | {line.measured[-1]:.4g} {line.unit} | {' | '.join(slopes)} |"
    )
