"""Cores on tasks and environments, many runs from one file to one table: `scripts/benchmark.py`.

Each run is a process of its own that runs `scripts/supervised.py` or `scripts/impala.py`. Several
run in parallel, on this machine or on a Ray cluster whose nodes share the output folder. A finished
run is not repeated, and an interrupted one is resumed from its last checkpoint.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agents.benchmark import queue_log
from agents.benchmark.holder import check_plan, held
from agents.benchmark.job import Outcome, is_done
from agents.benchmark.monitor import QueueMonitor
from agents.benchmark.plan import FOLDER, Job, check, is_of, read_plan
from agents.benchmark.report.report import write_report
from agents.benchmark.runner import Started, side_by_side, stopped_by_signals
from agents.benchmark.scripted import measure_players
from agents.cli.command import CommandError, at_least, plain_errors
from agents.cli.invocation import program_name
from agents.cli.yaml_file import find_yaml

Executor = Callable[[Sequence[Job], Started], Iterator[Outcome]]


def main(argv: list[str]) -> int:
    """Make the missing runs, then write the report; returns the exit status."""
    parser = argparse.ArgumentParser(program_name("benchmark.py"), description=__doc__)
    parser.add_argument("plan", help="a YAML file, or the name of one in configs/benchmark")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the report")
    parser.add_argument("--jobs", type=at_least(1), help="runs in parallel (default: one per CPU)")
    parser.add_argument("--ray", action="store_true", help="spread the runs over Ray")
    parser.add_argument("--ray-address", help="of a running cluster; default: this machine")
    parser.add_argument(
        "--no-ship", action="store_true", help="the nodes of the cluster have Engram installed"
    )
    parser.add_argument("--report-only", action="store_true", help="run nothing")
    asked = parser.parse_args(argv)
    if asked.ray_address and not asked.ray:
        parser.error("--ray-address has no effect without --ray")
    if asked.no_ship and not asked.ray_address:
        parser.error("--no-ship has no effect without --ray-address")
    if asked.ray and asked.jobs:
        parser.error("--jobs has no effect with --ray, which gives each run a CPU or GPU")
    with plain_errors(parser.prog, OSError):
        plan = find_yaml(asked.plan, FOLDER, "benchmark")
        jobs = read_plan(plan, asked.out)
        for job in jobs:
            if not is_of(job, check(job)):
                raise CommandError(
                    f"{job.folder} holds a run with other settings; use another --out or remove it."
                )
        failed = _recorded(jobs, plan, asked.out) if asked.report_only else _run(jobs, plan, asked)
        for job, words in failed.items():
            print(f"{job.folder} failed: {words}", file=sys.stderr)
        write_report(asked.out, plan, jobs, failed)
        print(f"{asked.out / 'report.md'} and report.html hold the results.")
    return 1 if failed else 0


def _run(jobs: Sequence[Job], plan: Path, asked: argparse.Namespace) -> dict[Job, str]:
    """Make the missing runs; returns those that failed, with the last line of their output."""
    missing = [job for job in jobs if not is_done(job)]
    failed: dict[Job, str] = {}
    with held(asked.out, plan), stopped_by_signals():
        measure_players(jobs, asked.out)
        processes = asked.jobs or os.cpu_count() or 1
        with QueueMonitor(missing, processes) as monitor:
            for outcome in _executor(asked, processes)(missing, monitor.started) if missing else ():
                monitor.ended(outcome)
                queue_log.append(asked.out, outcome)
                if outcome.error:
                    failed[outcome.job] = outcome.error
    return failed


def _recorded(jobs: Sequence[Job], plan: Path, out: Path) -> dict[Job, str]:
    """The runs that are not done and whose last start failed."""
    check_plan(out, plan)
    return {job: error for job, error in queue_log.errors(out, jobs).items() if not is_done(job)}


def _executor(asked: argparse.Namespace, processes: int) -> Executor:
    if not asked.ray:
        return lambda jobs, started: side_by_side(jobs, processes, started)
    from agents.benchmark.over_ray import over_ray  # Ray takes a second to import

    return lambda jobs, started: over_ray(jobs, asked.ray_address, not asked.no_ship, started)
