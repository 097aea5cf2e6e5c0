"""Results of the runs of a benchmark, finished or not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from agents.benchmark.job import is_done, results_of
from agents.benchmark.plan import Job
from agents.benchmark.scripted import players_of_job
from agents.runs.run import Run, RunError

MOST_BASELINES = 6
"""Baselines of a task that a report names one by one."""


class Row(NamedTuple):
    """One run."""

    kind: str
    subject: str
    core: str
    seed: int
    measure: str
    value: float
    """Of the test if the run is finished, else of the last evaluation."""
    parameters: int
    step: int
    """Frames or updates that the run has made."""
    seconds: float
    cpu_seconds: float
    is_done: bool


class Results(NamedTuple):
    """All results of a benchmark."""

    rows: list[Row]
    baselines: dict[str, dict[str, float]]
    """Baselines by subject: chance, or the scripted players."""
    remarks: list[str]
    failed: dict[str, str]
    """Names of the failed runs, with their last line of output."""
    missing: list[str]
    """Names of the runs without results."""
    published: Mapping[str, Mapping[str, float]] = MappingProxyType({})
    """Scores of others by subject, from the plan."""
    floors: Mapping[str, float] = MappingProxyType({})
    """What a task is measured from, by subject; runs of older versions have none."""

    @property
    def subjects(self) -> list[str]:
        """In the order of the plan."""
        return list(dict.fromkeys(row.subject for row in self.rows))

    @property
    def cores(self) -> list[str]:
        """In the order of the plan."""
        return list(dict.fromkeys(row.core for row in self.rows))

    @property
    def seeds(self) -> str:
        """Number of runs of a subject with a core, such as `3` or `2 to 3`."""
        counts = {len(self.of(row.subject, row.core)) for row in self.rows}
        few, most = min(counts), max(counts)
        return f"{most}" if few == most else f"{few} to {most}"

    def beside(self, subject: str) -> dict[str, float]:
        """The scores that runs are compared with: baselines, then published scores.

        Of more than `MOST_BASELINES` those that are no floor of the whole test are left out, such
        as the baselines of each of bAbI's twenty tasks.
        """
        baselines = self.baselines[subject]
        if len(baselines) > MOST_BASELINES and subject in self.floors:
            floor = self.floors[subject]
            baselines = {name: score for name, score in baselines.items() if score == floor}
        return {**baselines, **self.published.get(subject, {})}

    def of(self, subject: str, core: str | None = None) -> list[Row]:
        """The runs of a subject, with one core or all."""
        return [row for row in self.rows if row.subject == subject and core in (None, row.core)]


def collect(out: Path, jobs: Sequence[Job], failed: Mapping[Job, str]) -> Results:
    """Read the results of the runs."""
    rows: list[Row] = []
    baselines: dict[str, dict[str, float]] = {}
    published: dict[str, dict[str, float]] = {}
    floors: dict[str, float] = {}
    remarks: list[str] = []
    missing: list[str] = []
    for job in jobs:
        results = results_of(job) or _last_evaluation(job)
        if results is None:
            missing.append(job.name)
            continue
        measure = results["measure"]
        rows.append(
            Row(
                job.kind,
                job.subject,
                job.core,
                job.seed,
                measure,
                results["test"][measure],
                results["parameters"],
                results.get("updates", results["step"]),
                results["seconds"],
                results.get("cpu_seconds", float("nan")),
                is_done(job),
            )
        )
        own = results.get("baselines", results.get("plateaus", {}))
        players = players_of_job(out, job, measure)
        baselines[job.subject] = own | players
        published[job.subject] = dict(job.published)
        if "floor" in results:
            floors[job.subject] = results["floor"]
        remarks += [f"{job.subject}: {remark}" for remark in results["remarks"]]
    names = {job.name: words for job, words in failed.items()}
    return Results(rows, baselines, list(dict.fromkeys(remarks)), names, missing, published, floors)


def evaluations_of(job: Job) -> list[dict[str, Any]]:
    """The evaluations of an agent while it was trained, by frame."""
    try:
        return Run.open(job.folder, job.program).evaluations.read()
    except (RunError, OSError):
        return []


def _last_evaluation(job: Job) -> dict[str, Any] | None:
    """The last evaluation of an unfinished run, in the form of results."""
    lines = evaluations_of(job)
    if not lines:
        return None
    last = lines[-1]
    return {
        "measure": last["measure"],
        "test": {last["measure"]: last[last["measure"]]},
        "parameters": last["parameters"],
        "step": last["frame"],
        "seconds": last["seconds"],
        "cpu_seconds": last["cpu_seconds"],
        "baselines": {},
        "remarks": [],
    }
