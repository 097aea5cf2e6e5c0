"""Log of a benchmark: one line for each start of a run."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agents.benchmark.job import Job, Outcome
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


def errors(out: Path, jobs: Iterable[Job]) -> dict[Job, str]:
    """The runs whose last start did not end well, with its error."""
    file = out / NAME
    if not file.exists():
        return {}
    with file.open(newline="") as stream:
        last = {
            (line["subject"], line["core"], line["seed"]): line for line in csv.DictReader(stream)
        }
    found = {job: last.get((job.subject, job.core, str(job.seed))) for job in jobs}
    return {job: line["error"] for job, line in found.items() if line and line["error"]}


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
