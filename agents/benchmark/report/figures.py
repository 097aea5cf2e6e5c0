"""The figures of a benchmark: final scores, and curves with bands over seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.benchmark.curve_figure import average
from agents.benchmark.curves import Curve, curve_of
from agents.benchmark.job import length_of, results_of
from agents.benchmark.plan import Job
from agents.benchmark.report.normalised import matrix
from agents.benchmark.results import Results, evaluations_of
from agents.cli.command import CommandError
from agents.evaluation.intervals import bootstrap_interval

COLUMNS = 4
"""Panels side by side."""
NAMED_BESIDE = 6
"""Most curves whose names are written beside them; a legend has the names of more."""


class Line(NamedTuple):
    """The measure of one run over frames and over CPU time."""

    frames: list[float]
    hours: list[float]
    values: list[float]
    until: float | None = None
    """The last update of the plan, if the run of a task ended early: it keeps its last value."""


def draw(out: Path, results: Results, jobs: Sequence[Job]) -> list[Path]:
    """Final scores, curves against frames and curves against CPU hours; one panel per subject.

    Returns the PNG files; an SVG and a PDF of each are beside it, and `-dark.png` for dark pages.

    Raises:
        CommandError: matplotlib is missing.
    """
    try:
        from matplotlib import style
    except ImportError:
        raise CommandError("the report needs matplotlib: pip install 'engram[plot]'.") from None
    files = list[Path]()
    for name, figure in _figures(results, jobs).items():
        files.append(out / f"{name}.png")
        for suffix in (".png", ".svg", ".pdf"):
            figure.savefig(files[-1].with_suffix(suffix), dpi=110)
    with style.context("dark_background"):
        for name, figure in _figures(results, jobs).items():
            figure.savefig(out / f"{name}-dark.png", dpi=110)
    return files


def _figures(results: Results, jobs: Sequence[Job]) -> dict[str, Any]:
    """The figures by name, in the colours of matplotlib's present style."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    heights = {
        "scores": 1.2 + 0.4 * len(results.cores),
        "curves": 3.2,
        "curves_by_time": 3.2,
    }
    figures: dict[str, Any] = {}
    for name, height in heights.items():
        rows = -(-len(results.subjects) // COLUMNS)
        columns = min(COLUMNS, len(results.subjects))
        figure = figures[name] = Figure((4 * columns + 1, rows * height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for panel in panels[len(results.subjects) :]:
            panel.set_axis_off()
        for panel, subject in zip(panels, results.subjects, strict=False):
            if name == "scores":
                _bars(panel, results, subject)
            else:
                _curves(panel, results, subject, jobs, "frames" if name == "curves" else "hours")
            panel.xaxis.set_major_locator(MaxNLocator(5))
        if name != "scores" and len(results.cores) > NAMED_BESIDE:
            _legend(figure, results)
    if len(results.subjects) > 1 and len(results.cores) > 1:
        figures["heat_map"] = Figure(
            figsize=(2 + 0.9 * len(results.subjects), 2 + 0.35 * len(results.cores)),
            layout="constrained",
        )
        _heat_map(figures["heat_map"], results)
    return figures


def colours(number: int) -> list[Any]:
    """Different colours for so many cores, up to 20."""
    from matplotlib import colormaps

    return [f"C{i}" if number <= 10 else colormaps["tab20"](i % 20) for i in range(number)]


def _legend(figure: Any, results: Results) -> None:
    """The names of all cores, once for all panels."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=colour) for colour in colours(len(results.cores))]
    seeds = f"seeds: {results.seeds}"
    figure.legend(lines, results.cores, title=seeds, loc="outside right upper", fontsize=8)


def _heat_map(figure: Any, results: Results) -> None:
    """Cores down, subjects across: from baseline to perfect."""
    axes, scores = figure.subplots(), matrix(results)
    image = axes.imshow(scores, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(results.subjects)), results.subjects, rotation=40, ha="right")
    axes.set_yticks(range(len(results.cores)), results.cores)
    for (row, column), score in np.ndenumerate(scores):
        if np.isfinite(score):
            colour = "black" if score > 0.6 else "white"
            axes.text(column, row, f"{score:.2f}", color=colour, ha="center", va="center", size=8)
    figure.colorbar(image, label="from baseline (0) to perfect (1)")


def _bars(panel: Any, results: Results, subject: str) -> None:
    ink, palette = panel.xaxis.label.get_color(), colours(len(results.cores))
    for place, core in enumerate(results.cores):
        values = np.array([row.value for row in results.of(subject, core)])
        if len(values):
            panel.barh(place, values.mean(), color=palette[place], alpha=0.5)
            panel.plot(values, [place] * len(values), ".", color=ink, markersize=4)
            low, high = bootstrap_interval(values[:, None])
            if np.isfinite(low):
                panel.plot([low, high], [place, place], color=ink, linewidth=1)
    names = _names(results.beside(subject))
    for value in names:
        panel.axvline(value, color="gray", linestyle=":", linewidth=1)
    above, (low, high) = panel.secondary_xaxis("top"), panel.get_xlim()
    above.set_xticks(
        spread([*names], 0.05 * (high - low)), [*names.values()], rotation=30, ha="left", fontsize=7
    )
    above.tick_params(length=0)
    panel.set_yticks(range(len(results.cores)), results.cores)
    panel.invert_yaxis()
    panel.set(title=subject, xlabel=f"{results.of(subject)[0].measure} on the test set")
    panel.grid(alpha=0.3, axis="x")


def _curves(panel: Any, results: Results, subject: str, jobs: Sequence[Job], by: str) -> None:
    """Plot the mean over seeds, with a band from minimum to maximum."""
    lines = _lines(results.cores, [job for job in jobs if job.subject == subject])
    first = results.of(subject)[0]
    hours = max((line.hours[-1] for of_core in lines.values() for line in of_core), default=0.0)
    axis, scale = _axis(by, first.kind, hours)
    labels: list[tuple[float, str, Any]] = []
    for (core, of_core), colour in zip(lines.items(), colours(len(results.cores)), strict=True):
        if not of_core:
            continue
        longest = max(line.hours[-1] for line in of_core)
        places, values = average([_points(line, by, longest) for line in of_core])
        places, mean = places / scale, values.mean(0)
        panel.plot(places, mean, color=colour, marker="." if len(places) == 1 else "")
        panel.fill_between(
            places, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0
        )
        if len(results.cores) <= NAMED_BESIDE:
            labels.append((float(mean[-1]), f"{core} ({len(of_core)})", colour))
    for value, name in _names(results.beside(subject)).items():
        panel.axhline(value, color="gray", linestyle=":", linewidth=1)
        labels.append((value, name, "gray"))
    panel.set(title=subject, xlabel=axis, ylabel=first.measure)
    panel.grid(alpha=0.3)
    _write_beside(panel, labels)


def _lines(cores: Sequence[str], jobs: Sequence[Job]) -> dict[str, list[Line]]:
    """The lines of each core, one for each seed."""
    found = [(job.core, line) for job in jobs if (line := line_of(job)) is not None]
    return {core: [line for name, line in found if name == core] for core in cores}


def _axis(by: str, kind: str, hours: float) -> tuple[str, float]:
    """Label of an axis, and what its values are divided by; `hours` is the longest run."""
    if by == "hours":
        return ("CPU minutes", 1 / 60) if hours < 1 else ("CPU hours", 1.0)
    return ("million frames", 1e6) if kind == "environments" else ("thousand updates", 1e3)


def _points(line: Line, by: str, hours: float) -> tuple[np.ndarray, np.ndarray]:
    """Places and values of a line; one that ended early holds to the last update, or for so many
    hours."""
    places = line.frames if by == "frames" else line.hours
    if line.until is None:
        return np.array(places), np.array(line.values)
    end = line.until if by == "frames" else hours
    return np.array([*places, end]), np.array([*line.values, line.values[-1]])


def _names(baselines: dict[str, float]) -> dict[float, str]:
    """The name of each value; equal baselines share one."""
    names: dict[float, str] = {}
    for name, value in baselines.items():
        names[value] = f"{names[value]}, {name}" if value in names else name
    return names


def _write_beside(panel: Any, labels: Sequence[tuple[float, str, Any]]) -> None:
    """Write names of lines to the right of a panel, at their heights but not over each other."""
    low, high = panel.get_ylim()
    heights = spread([(value - low) / (high - low) for value, _, _ in labels], 0.07)
    for height, (_, name, colour) in zip(heights, labels, strict=True):
        panel.annotate(
            name, (1.02, height), xycoords="axes fraction", fontsize=7, color=colour, va="center",
            annotation_clip=False,
        )  # fmt: skip


def spread(places: Sequence[float], least: float) -> list[float]:
    """The places, in the same order, moved upwards until they are at least so far apart."""
    moved, below = list(places), -np.inf
    for index in sorted(range(len(places)), key=places.__getitem__):
        below = moved[index] = max(places[index], below + least)
    return moved


def line_of(job: Job) -> Line | None:
    """Evaluations of an agent, or validations of a supervised run; None before the first."""
    lines = evaluations_of(job)
    if lines:
        return Line(
            [line["frame"] for line in lines],
            [line["cpu_seconds"] / 3600 for line in lines],
            [line[line["measure"]] for line in lines],
        )
    try:
        curve = curve_of(job.folder)
    except (CommandError, OSError, RuntimeError):
        return None
    line, results = _of_log(curve), results_of(job)
    ended_early = results is not None and results.get("ended_early", False)
    return line._replace(until=length_of(job)) if ended_early else line


def _of_log(curve: Curve) -> Line:
    logged = {column for line in curve.lines for column in line}
    what = next(column for column in curve.kind.drawn if column in logged)
    kept = [line for line in curve.lines if what in line]
    seconds = [line.get("speed/cpu_seconds", line.get("speed/seconds", 0.0)) for line in kept]
    return Line(
        [line["frame"] for line in kept], [s / 3600 for s in seconds], [line[what] for line in kept]
    )
