"""Log of a benchmark: one line for each start of a run."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from agents.benchmark.job import Outcome
from agents.runs.versions import versions

NAME = "queue.csv"
COLUMNS = (
    "subject",
    "core",
    "seed",
    "started",
    "ended",
    "first_frame",
    "last_frame",
    "cpu_seconds",
    "commit",
    "error",
)


def append(out: Path, outcome: Outcome) -> None:
    """Add one start of a run."""
    file = out / NAME
    is_new = not file.exists()
    with file.open("a", newline="") as stream:
        table = csv.writer(stream)
        if is_new:
            table.writerow(COLUMNS)
        table.writerow(_line(outcome))


def _line(outcome: Outcome) -> Sequence[object]:
    job = outcome.job
    return (
        job.subject,
        job.core,
        job.seed,
        _time(outcome.started),
        _time(outcome.ended),
        outcome.first_frame,
        outcome.last_frame,
        f"{outcome.cpu_seconds:.1f}",
        versions()["commit"],
        outcome.error,
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
