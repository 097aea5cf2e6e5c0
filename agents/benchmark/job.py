"""One run of a benchmark: a process of its own."""

import subprocess
import sys
from pathlib import Path

from agents.benchmark.plan import Job
from agents.supervised.record import RESULTS

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "supervised.py"
LOG = "output.txt"
"""Beside the folder of a run: what it printed."""

Outcome = tuple[Job, str]
"""A run that ended, and its last words if it failed."""


def is_done(job: Job) -> bool:
    return (job.folder / RESULTS).exists()


def execute(job: Job) -> Outcome:
    """One run in a process of its own, begun or gone on with."""
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    begun = any((job.folder / "checkpoints").glob("[0-9]*"))
    where = ["--resume"] if begun else [*job.flags, "--overwrite", "--run-dir"]
    with job.folder.with_name(f"{job.folder.name}-{LOG}").open("a") as log:
        status = subprocess.call(
            [sys.executable, str(SCRIPT), *where, str(job.folder)], stdout=log, stderr=log
        )
    if status == 0 and is_done(job):
        return job, ""
    lines = Path(log.name).read_text().strip().splitlines() or ["it said nothing"]
    return job, f"{lines[-1]} (exit status {status}; all it said is in {log.name})"
