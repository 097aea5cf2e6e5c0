"""What came of a benchmark: rows as CSV, one table as Markdown and HTML, and figures.

A cell is the mean over the seeds, with half the width of its 95 % interval after Student.
"""

import base64
import csv
import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agents.benchmark.curves import Curve, curve_of
from agents.benchmark.plan import Job
from agents.cli.command import CommandError
from agents.evaluation.intervals import student_interval
from agents.supervised.record import RESULTS


class Row(NamedTuple):
    """One run that ended."""

    task: str
    core: str
    seed: int
    measure: str
    value: float
    """Of the test, for the weights that were best on the validation."""
    parameters: int
    step: int
    """Of these weights."""
    seconds: float


class Results(NamedTuple):
    """Everything there is to report."""

    rows: list[Row]
    baselines: dict[str, dict[str, float]]
    """By task."""
    remarks: list[str]
    missing: int
    """Runs that did not end."""


def write_report(out: Path, jobs: Sequence[Job]) -> None:
    """Write results.csv, report.md, report.html and the figures.

    Raises:
        CommandError: no run has ended, or matplotlib or SciPy is missing.
    """
    results = collect(jobs)
    if not results.rows:
        raise CommandError(f"{out}: no run has ended, there is nothing to report.")
    with (out / "results.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(Row._fields)
        table.writerows(results.rows)
    figures = draw(out, results, jobs)
    grids = {"Test of the best weights": _scores(results), "Size and time": _sizes(results)}
    notes = _notes(results)
    (out / "report.md").write_text(_markdown(grids, notes, figures))
    (out / "report.html").write_text(_page(grids, notes, figures))


def collect(jobs: Sequence[Job]) -> Results:
    """The results of the runs that have ended."""
    rows, baselines, remarks = [], {}, []
    for job in jobs:
        file = job.folder / RESULTS
        if not file.exists():
            continue
        try:
            saved = json.loads(file.read_text())
        except ValueError as error:
            raise CommandError(f"{file} is damaged ({error}); remove it and run again.") from None
        measure = saved["measure"]
        value = saved["test"][measure]
        rows.append(
            Row(
                job.task,
                job.core,
                job.seed,
                measure,
                value,
                saved["parameters"],
                saved["step"],
                saved["seconds"],
            )
        )
        baselines[job.task] = saved["baselines"]
        remarks += [f"{job.task}: {remark}" for remark in saved["remarks"]]
    return Results(rows, baselines, list(dict.fromkeys(remarks)), len(jobs) - len(rows))


Grid = list[list[str]]


def _scores(results: Results) -> Grid:
    def score(rows: list[Row]) -> str:
        mean, half = student_interval(row.value for row in rows)
        return f"{mean:.4g}" + ("" if half != half else f" ± {half:.2g}")

    grid = _grid(results, score)
    grid[0] += ["measure", "beside it"]
    for line in grid[1:]:
        beside = (f"{name} {value:.4g}" for name, value in results.baselines[line[0]].items())
        line += [_of(results, task=line[0])[0].measure, ", ".join(beside)]
    return grid


def _sizes(results: Results) -> Grid:
    def size(rows: list[Row]) -> str:
        minutes = sum(row.seconds for row in rows) / len(rows) / 60
        return f"{rows[0].parameters:,} · {minutes:.1f} min"

    return _grid(results, size)


def _grid(results: Results, cell: Callable[[list[Row]], str]) -> Grid:
    """Tasks down, cores across."""
    cores = list(dict.fromkeys(row.core for row in results.rows))
    tasks = list(dict.fromkeys(row.task for row in results.rows))
    lines = [
        [task, *(cell(rows) if (rows := _of(results, task, core)) else "" for core in cores)]
        for task in tasks
    ]
    return [["task", *cores], *lines]


def _of(results: Results, task: str, core: str | None = None) -> list[Row]:
    return [row for row in results.rows if row.task == task and core in (None, row.core)]


def _notes(results: Results) -> list[str]:
    seeds = {len(_of(results, row.task, row.core)) for row in results.rows}
    few, most = min(seeds), max(seeds)
    count = f"{most}" if few == most else f"{few} to {most}"
    notes = [f"Mean over seeds ({count} per cell) ± half of its 95 % interval."]
    if results.missing:
        notes.append(f"{results.missing} runs have not ended and are not in these tables.")
    return notes + results.remarks


def _markdown(grids: Mapping[str, Grid], notes: Sequence[str], figures: Sequence[Path]) -> str:
    parts = []
    for title, (head, *lines) in grids.items():
        rule = ["---"] * len(head)
        table = "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))
        parts.append(f"## {title}\n\n{table}\n")
    parts.append("\n".join(f"- {note}" for note in notes) + "\n")
    parts += [f"![{figure.stem}]({figure.name})\n" for figure in figures]
    return "\n".join(parts)


_STYLE = """body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; }
table { border-collapse: collapse; } td, th { border-bottom: 1px solid #ccc; padding: .3rem .8rem; }
td:not(:first-child) { text-align: right; } img { max-width: 100%; }"""


def _page(grids: Mapping[str, Grid], notes: Sequence[str], figures: Sequence[Path]) -> str:
    """One file, pictures inside."""
    parts = [
        f"<!doctype html><meta charset='utf-8'><title>Benchmark</title><style>{_STYLE}</style>"
    ]
    for title, (head, *lines) in grids.items():
        body = "".join(_line("td", line) for line in lines)
        parts.append(f"<h2>{html.escape(title)}</h2><table>{_line('th', head)}{body}</table>")
    parts.append("<ul>" + "".join(f"<li>{html.escape(note)}" for note in notes) + "</ul>")
    for figure in figures:
        data = base64.b64encode(figure.read_bytes()).decode()
        parts.append(f"<img alt='{figure.stem}' src='data:image/png;base64,{data}'>")
    return "\n".join(parts) + "\n"


def _line(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def draw(out: Path, results: Results, jobs: Sequence[Job]) -> list[Path]:
    """Scores and learning curves, one panel per task."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise CommandError("the report needs matplotlib: pip install 'engram[plot]'.") from None
    tasks = list(results.baselines)
    cores = list(dict.fromkeys(row.core for row in results.rows))
    height = 1.2 + 0.5 * len(cores)
    scores = Figure(figsize=(4 * len(tasks) + 1, height), layout="constrained")
    curves = Figure(figsize=(4 * len(tasks) + 1, 3.2), layout="constrained")
    panels: Any = scores.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    graphs: Any = curves.subplots(1, len(tasks), squeeze=False)[0]
    for panel, graph, task in zip(panels, graphs, tasks, strict=True):
        _bars(panel, results, task, cores)
        _lines(graph, task, cores, jobs)
    graphs[0].legend(fontsize=8)
    files = [out / "scores.png", out / "curves.png"]
    for figure, file in zip((scores, curves), files, strict=True):
        figure.savefig(file, dpi=110)
    return files


def _bars(panel: Any, results: Results, task: str, cores: Sequence[str]) -> None:
    for place, core in enumerate(cores):
        values = [row.value for row in _of(results, task, core)]
        if values:
            mean, half = student_interval(values)
            panel.barh(place, mean, color="#9ec3e6", xerr=None if half != half else half, capsize=3)
            panel.plot(values, [place] * len(values), "k.", markersize=4)
    for name, value in results.baselines[task].items():
        panel.axvline(value, color="gray", linestyle=":")
        panel.text(value, -0.45, name, fontsize=7, rotation=90, ha="right", va="bottom")
    panel.set_yticks(range(len(cores)), cores)
    panel.set(title=task, xlabel=f"{_of(results, task)[0].measure} on the test")
    panel.grid(alpha=0.3, axis="x")


def _lines(graph: Any, task: str, cores: Sequence[str], jobs: Sequence[Job]) -> None:
    """Every run's validations; the seeds of a core share a colour."""
    for number, core in enumerate(cores):
        label: str | None = core
        for job in jobs:
            curve = _curve(job) if (job.task, job.core) == (task, core) else None
            if curve is None:
                continue
            what = next(c for c in curve.kind.drawn if any(c in line for line in curve.lines))
            kept = [line for line in curve.lines if what in line]
            xs = [line["frame"] / curve.kind.scale for line in kept]
            graph.plot(xs, [line[what] for line in kept], f"C{number}", alpha=0.8, label=label)
            graph.set(title=task, xlabel=curve.kind.unit, ylabel=curve.kind.columns[what])
            label = None
    graph.grid(alpha=0.3)


def _curve(job: Job) -> Curve | None:
    return curve_of(job.folder) if (job.folder / RESULTS).exists() else None
