"""Parallel runs of a benchmark on a Ray cluster, with one CPU or GPU each."""

# pyright: reportUnknownMemberType=false

import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import ray
from ray.exceptions import RayError

from agents.benchmark.job import Job, Outcome, execute, progress_of
from agents.benchmark.runner import Started
from agents.cluster.ray_session import connect_ray, leave_ray


def over_ray(
    jobs: Sequence[Job], address: str | None, ship: bool, started: Started
) -> Iterator[Outcome]:
    """Run jobs as resources allow; yields the outcome of each when it ends.

    Args:
        address: of a running cluster, whose nodes share the folder of the runs; None starts Ray
            on this machine.
        ship: whether the sources are sent to its nodes.
    """
    connect_ray(address, ship)
    gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
    remote = ray.remote(num_cpus=1, num_gpus=gpus)(execute)
    begun = time.time()
    try:
        of = {remote.remote(job._replace(folder=job.folder.resolve())): job for job in jobs}
        for job in jobs:
            started(job)
        waiting: list[Any] = list(of)
        while waiting:
            (ready,), waiting = cast(tuple[list[Any], list[Any]], ray.wait(waiting))
            job = of[ready]
            try:
                outcome = cast(Outcome, ray.get(ready))
                yield outcome._replace(job=job)
            except RayError as error:
                frame = progress_of(job)["frame"]
                lost = f"its process was lost: {error}"
                yield Outcome(job, lost, begun, time.time(), 0.0, frame, frame)
    finally:
        leave_ray()
