"""Cores on tasks, many runs from one file to one table: `scripts/benchmark.py`.

Each run is a process of its own, `scripts/supervised.py` as one would type it; several run side by
side, on this machine or on a Ray cluster whose nodes share the output folder. What is there already
is not run again, and what was interrupted goes on from its last checkpoint.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.benchmark.job import Outcome, execute, is_done
from agents.benchmark.plan import Job, check, find_plan, is_of, read_plan
from agents.benchmark.report import write_report
from agents.cli.command import CommandError, at_least, plain_errors


def main(argv: list[str]) -> int:
    """Run what is missing, then write the tables and figures of all; returns the exit status."""
    parser = argparse.ArgumentParser("benchmark.py", description=__doc__)
    parser.add_argument("plan", help="a YAML file, or the name of one in configs/benchmark")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the report")
    parser.add_argument(
        "--processes", type=at_least(1), help="runs side by side (default: one per CPU)"
    )
    parser.add_argument("--ray", action="store_true", help="spread the runs over Ray")
    parser.add_argument("--ray-address", help="of a running cluster; this machine if left out")
    parser.add_argument("--report-only", action="store_true", help="run nothing")
    asked = parser.parse_args(argv)
    if asked.ray_address and not asked.ray:
        parser.error("--ray-address has no effect without --ray")
    if asked.ray and asked.processes:
        parser.error("--processes has no effect beside --ray, which gives each run a CPU or GPU")
    with plain_errors(parser.prog):
        jobs = read_plan(find_plan(asked.plan), asked.out)
        for job in jobs:
            if not is_of(job, check(job)):
                raise CommandError(
                    f"{job.folder} holds a run of other settings; give another --out, or remove it."
                )
        missing = [] if asked.report_only else [j for j in jobs if not is_done(j)]
        failed = _watch(missing, _executor(asked))
        for job, words in failed:
            print(f"{job.folder} failed: {words}", file=sys.stderr)
        write_report(asked.out, jobs)
        print(f"{asked.out / 'report.md'} and report.html tell what came of it.")
    return 1 if failed else 0


def _executor(asked: argparse.Namespace) -> Callable[[list[Job]], Iterator[Outcome]]:
    if not asked.ray:
        return lambda jobs: _side_by_side(jobs, asked.processes or os.cpu_count() or 1)
    from agents.benchmark.over_ray import over_ray  # Ray takes a second to import

    return lambda jobs: over_ray(jobs, asked.ray_address)


def _side_by_side(jobs: Iterable[Job], processes: int) -> Iterator[Outcome]:
    with ThreadPoolExecutor(processes) as pool:
        try:
            for future in as_completed([pool.submit(execute, job) for job in jobs]):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _watch(jobs: list[Job], executor: Callable[[list[Job]], Iterator[Outcome]]) -> list[Outcome]:
    """Run them, show how far it is, and give those that failed."""
    failed: list[Outcome] = []
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=len(jobs))
        for job, words in executor(jobs) if jobs else ():
            state = f"failed: {words}" if words else "done"
            progress.console.print(f"{job.task} · {job.core} · seed {job.seed}: {state}")
            progress.advance(bar)
            if words:
                failed.append((job, words))
    return failed
