"""The report of a benchmark: rows as CSV, tables as Markdown and as one HTML file, figures.

A cell is the mean over seeds with its 95 % percentile bootstrap interval; a second table has the
interquartile mean (Agarwal et al. 2021).
"""

import csv
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.benchmark.plan import Job
from agents.benchmark.report.figures import draw
from agents.benchmark.report.latex import latex_table
from agents.benchmark.report.normalised import totals
from agents.benchmark.report.page import Grid, page
from agents.benchmark.results import Results, Row, collect, evaluations_of
from agents.cli.command import CommandError
from agents.evaluation.intervals import bootstrap_interval, iqm
from agents.runs.progress import count
from agents.runs.versions import versions

EVALUATIONS = ["subject", "core", "seed", "frame", "levels", "measure", "value", "low", "high"]
"""Columns of evaluations.csv."""
NAMED = 10
"""Runs without a result that are named."""


def write_report(out: Path, plan: Path, jobs: Sequence[Job], failed: Mapping[Job, str]) -> None:
    """Write results.csv, evaluations.csv, report.md, report.html, report.tex and the figures.

    Raises:
        CommandError: no run has a result, or matplotlib is missing.
    """
    results = collect(out, jobs, failed)
    if not results.rows:
        raise CommandError(f"{out}: no run has a result yet.")
    _write(out / "results.csv", Row._fields, results.rows)
    if evaluations := list(evaluation_rows(jobs)):
        _write(out / "evaluations.csv", EVALUATIONS, evaluations)
    figures = draw(out, results, jobs)
    title = f"Benchmark {plan.stem}"
    about = f"{time.strftime('%Y-%m-%d')}, commit {(versions()['commit'] or 'unknown')[:10]}"
    tables = {
        "Mean over seeds": scores(results),
        "Interquartile mean over seeds": _grid(results, _iqm_cell),
        "From baseline (0) to perfect (1), all subjects": totals_of(results),
        "Size and time": _grid(results, _size_cell),
        "Commands": commands(jobs),
    }
    notes = notes_of(results)
    text = plan.read_text()
    (out / "report.md").write_text(_markdown(title, about, tables, notes, figures, text))
    (out / "report.html").write_text(page(title, about, tables, notes, figures, text))
    for_paper = [*tables][:3]
    captions = {name: f"{title}: {name[0].lower()}{name[1:]}. {notes[0]}" for name in for_paper}
    (out / "report.tex").write_text(
        "\n".join(latex_table(tables[name], caption) for name, caption in captions.items())
    )


def evaluation_rows(jobs: Sequence[Job]) -> Iterator[tuple[Any, ...]]:
    """The evaluations of agents while they were trained, with their 95 % intervals.

    The interval of a single level's return is infinite, and left empty.
    """
    for job in jobs:
        for line in evaluations_of(job):
            measure = line["measure"]
            bounds = line[f"{measure}_interval"]
            low, high = ("" if bound is None else f"{bound:.4f}" for bound in bounds)
            run = job.subject, job.core, job.seed
            yield *run, line["frame"], line["levels"], measure, line[measure], low, high


def _write(file: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    with file.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(columns)
        table.writerows(rows)


def scores(results: Results) -> Grid:
    """Rows of subjects and columns of cores, then the measure and the baselines."""
    grid = _grid(results, _mean_cell)
    grid[0] += ["measure", "beside"]
    for line in grid[1:]:
        beside = (f"{name} {value:.4g}" for name, value in results.beside(line[0]).items())
        line += [results.of(line[0])[0].measure, ", ".join(beside)]
    return grid


def totals_of(results: Results) -> Grid:
    """One line for each core that was run equally often on every subject."""
    head = [
        "core",
        "interquartile mean",
        "95 % interval",
        "best beside others",
        "worst beside others",
    ]
    return [head] + [
        [
            total.core,
            f"{total.iqm:.3f}",
            _interval(total.interval, ".3f"),
            _named(total.best),
            _named(total.worst),
        ]
        for total in totals(results)
    ]


def _named(subjects: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{subject} {score:.2f}" for subject, score in subjects)


def commands(jobs: Sequence[Job]) -> Grid:
    """The command of each row, for its first seed."""
    first: dict[tuple[str, str], Job] = {}
    for job in jobs:
        first.setdefault((job.subject, job.core), job)
    return [["run", "command"]] + [
        [f"{subject} · {core}", f"`{job.command}`"] for (subject, core), job in first.items()
    ]


def notes_of(results: Results) -> list[str]:
    """Notes on the tables."""
    notes = [
        f"Seeds per cell: {results.seeds}. In brackets: 95 % percentile bootstrap interval.",
        spent(results.rows),
    ]
    running = [row for row in results.rows if not row.is_done]
    if running:
        names = ", ".join(
            f"{row.subject} · {row.core} · seed {row.seed} at {count(row.step)}" for row in running
        )
        notes.append(f"Unfinished runs, with their last evaluation: {names}.")
    notes += [f"Failed: {name}: {words}" for name, words in results.failed.items()]
    if results.missing:
        names, more = results.missing[:NAMED], len(results.missing) - NAMED
        words = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        notes.append(f"Runs without a result: {words}.")
    return notes + results.remarks


def spent(rows: Sequence[Row]) -> str:
    """What all runs took together; runs of versions without a count of CPU time add none."""
    steps = {
        unit: sum(row.step for row in rows if row.kind == kind)
        for kind, unit in (("environments", "frames"), ("tasks", "updates"))
    }
    parts = [f"{count(number)} {unit}" for unit, number in steps.items() if number]
    hours = np.nansum([row.cpu_seconds for row in rows]) / 3600
    return f"All {len(rows)} runs: {', '.join([*parts, f'{hours:.2f} CPU h'])}."


def _grid(results: Results, cell: Callable[[list[Row]], str]) -> Grid:
    lines = [
        [subject]
        + [cell(rows) if (rows := results.of(subject, core)) else "" for core in results.cores]
        for subject in results.subjects
    ]
    return [["", *results.cores], *lines]


def _mean_cell(rows: list[Row]) -> str:
    return _with_interval(rows, lambda values: float(values.mean()))


def _iqm_cell(rows: list[Row]) -> str:
    return _with_interval(rows, iqm)


def _with_interval(rows: list[Row], statistic: Callable[[np.ndarray], float]) -> str:
    values = np.array([[row.value] for row in rows])
    interval = _interval(bootstrap_interval(values, statistic), ".4g")
    return f"{statistic(values):.4g} {interval}".rstrip()


def _interval(ends: tuple[float, float], digits: str) -> str:
    """Both ends; empty where one seed gives none."""
    low, high = ends
    return f"[{low:{digits}}, {high:{digits}}]" if math.isfinite(low) else ""


def _size_cell(rows: list[Row]) -> str:
    frames = sum(row.step for row in rows) / len(rows)
    hours = [row.cpu_seconds / 3600 for row in rows]
    cpu = "" if any(map(math.isnan, hours)) else f" · {sum(hours) / len(hours):.2f} CPU h"
    return f"{rows[0].parameters:,} parameters · {count(round(frames))}{cpu}"


def _markdown(
    title: str,
    about: str,
    tables: Mapping[str, Grid],
    notes: Sequence[str],
    figures: Sequence[Path],
    plan: str,
) -> str:
    parts = [f"# {title}\n\n{about}\n", "\n".join(f"- {note}" for note in notes) + "\n"]
    parts += [f"![{figure.stem}]({figure.name})\n" for figure in figures]
    for name, (head, *lines) in tables.items():
        rule = ["---"] * len(head)
        table = "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))
        parts.append(f"## {name}\n\n{table}\n")
    parts.append(f"## Plan\n\n```yaml\n{plan.rstrip()}\n```\n")
    return "\n".join(parts)
