"""The runs of a benchmark on a Ray cluster, one CPU or GPU each."""

from collections.abc import Iterator

import ray
from ray.exceptions import RayError

from agents.benchmark.job import Outcome, execute
from agents.benchmark.plan import Job
from agents.cluster.ray_session import connect_ray, leave_ray


def over_ray(jobs: list[Job], address: str | None) -> Iterator[Outcome]:
    """Run all of them as room allows; gives each as it ends.

    Args:
        address: of a running cluster, whose nodes share the folder of the runs; None starts Ray
            on this machine.
    """
    connect_ray(address)
    gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
    remote = ray.remote(num_cpus=1, num_gpus=gpus)(execute)
    try:
        of = {remote.remote(job._replace(folder=job.folder.resolve())): job for job in jobs}
        waiting = list(of)
        while waiting:
            (ready,), waiting = ray.wait(waiting)
            try:
                yield ray.get(ready)
            except RayError as error:
                yield of[ready], f"its process was lost: {error}"
    finally:
        leave_ray()
