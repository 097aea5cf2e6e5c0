"""The battery over every core, task and seed: `python scripts/bench/probe.py`."""

import argparse
import csv
import itertools
import multiprocessing
import os
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import battery
from battery import Result
from rich.progress import Progress

from agents.evaluation.intervals import student_interval
from memory import CORES

Job = tuple[str, str, int]


def main(argv: list[str]) -> int:
    """Run what the table does not contain, append it, and draw the table."""
    parser = argparse.ArgumentParser("probe.py", description=battery.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="table; continued if it exists")
    parser.add_argument("--cores", nargs="+", default=[*CORES], help='names, or "lstm, layers=2"')
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=500_000, help="steps learnt from in a run")
    parser.add_argument("--budget", type=int, default=20_000, help="parameters of a core, at most")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(argv)
    for name in ("seeds", "frames", "budget", "processes"):
        if getattr(asked, name) < 1:
            parser.error(f"--{name} {getattr(asked, name)}: must be at least 1")
    for core in asked.cores:
        try:
            battery.config_of(core, width=4)
        except ValueError as error:
            parser.error(f"--cores: {error}")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    rows = read(asked.out)
    if not all(_is_of(row, asked) for row in rows):
        parser.error(f"--out {asked.out}: holds runs of another --frames or --budget")
    done = {(row.task, row.core, row.seed) for row in rows}
    # Seeds are the outer loop, so that an interrupted table has complete seeds.
    every = itertools.product(range(1, asked.seeds + 1), battery.TASKS, asked.cores)
    jobs = [(task, core, seed) for seed, task, core in every]
    _run([job for job in jobs if job not in done], asked)
    draw(asked.out.with_suffix(".png"), read(asked.out))
    return 0


def read(table: Path) -> list[Result]:
    """The rows of a table; none if there is no such file.

    Raises:
        ValueError: the file is another table.
    """
    if not table.exists():
        return []
    with table.open(newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != Result._fields:
            raise ValueError(f"{table}: expected columns {', '.join(Result._fields)}")
        kinds = Result.__annotations__
        return [Result(**{name: kinds[name](value) for name, value in row.items()}) for row in rows]


def _run(jobs: list[Job], asked: argparse.Namespace) -> None:
    spawn = multiprocessing.get_context("spawn")
    with Progress() as progress, ProcessPoolExecutor(asked.processes, spawn) as pool:
        bar = progress.add_task("runs", total=len(jobs))
        futures = [pool.submit(battery.run, *job, asked.frames, asked.budget) for job in jobs]
        for future in as_completed(futures):
            result = future.result()
            append(asked.out, result)
            progress.console.print(
                f"{result.task} · {result.core} · seed {result.seed}: {result.accuracy:.3f} "
                f"({result.parameters:,} parameters, {result.seconds:.0f} s)"
            )
            progress.advance(bar)


def _is_of(row: Result, asked: argparse.Namespace) -> bool:
    updates, _ = battery.updates_of(battery.TASKS[row.task].build(row.seed), asked.frames)
    return row.budget == asked.budget and row.updates == updates


def append(table: Path, result: Result) -> None:
    """Append a row; write the header first if the table is new."""
    new = not table.exists()
    with table.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(Result._fields)
        writer.writerow(f"{x:.5g}" if isinstance(x, float) else x for x in result)


def draw(out: Path, rows: list[Result]) -> None:
    """One panel per task: mean and interval over the seeds, the seeds themselves, and baselines."""
    from matplotlib.figure import Figure

    accuracies: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        accuracies[row.task][row.core].append(row.accuracy)
    cores = sorted({row.core for row in rows}, key=lambda core: _mean(core, accuracies))
    figure = Figure(figsize=(12, 0.9 + 0.32 * len(cores)), layout="constrained")
    panels: Any = figure.subplots(1, len(accuracies), sharey=True, squeeze=False)[0]
    for axis, (task, of) in zip(panels, accuracies.items(), strict=True):
        _panel(axis, task, [(core, of[core]) for core in cores if of[core]])
    figure.savefig(out, dpi=120)


def _mean(core: str, accuracies: dict[str, dict[str, list[float]]]) -> float:
    """Over the tasks that it was trained on."""
    means = [student_interval(of[core])[0] for of in accuracies.values() if of[core]]
    return sum(means) / len(means)


def _panel(axis: Any, task: str, bars: list[tuple[str, list[float]]]) -> None:
    for core, values in bars:
        mean, half = student_interval(values)
        axis.barh(core, mean, color="#9ec3e6", xerr=None if half != half else half, capsize=3)
        axis.plot(values, [core] * len(values), "k.", markersize=4)
    for name, value in battery.TASKS[task].build(seed=1).baselines().items():
        axis.axvline(value, color="gray", linestyle=":")
        axis.text(value, len(bars) - 0.4, name, fontsize=7, ha="center")
    axis.set(title=task, xlabel="accuracy on the test", xlim=(0, 1.02))
    axis.grid(alpha=0.3, axis="x")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
