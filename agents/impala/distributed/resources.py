"""What workers and the learner reserve of a Ray cluster."""

# pyright: standard

import logging
import math
import os
from typing import NamedTuple

import ray
from ray.util.placement_group import placement_group

from agents.impala.config import ImpalaConfig

PLACE_SECONDS = 10.0
"""Seconds in which the learner's CPUs are expected to be free."""
_log = logging.getLogger(__name__)


class Share(NamedTuple):
    """What one worker reserves."""

    cpus: float
    gpus: float


def missing(share: Share) -> str:
    """What the cluster has too little of for one more worker; empty if nothing."""
    there, free = ray.cluster_resources(), ray.available_resources()
    return "; ".join(
        f"it needs {count:g} {kind}, the cluster has {there.get(kind, 0):g}, "
        f"of which {free.get(kind, 0):g} are free"
        for kind, count in (("CPU", share.cpus), ("GPU", share.gpus))
        if free.get(kind, 0) < count
    )


def threads_of(config: ImpalaConfig) -> int:
    """CPUs that a learner reserves; `auto` is 1."""
    return 1 if config.learner_threads == "auto" else config.learner_threads


def reserve_for_learner(config: ImpalaConfig) -> None:
    """Keep the CPUs of a learner in this process free of workers, on its node of the cluster.

    A node that offers fewer reserves all that it offers, but never the last CPU of the cluster,
    which a worker needs. If other programs use them, a warning is printed and they are reserved
    once they are free.
    """
    here = ray.get_runtime_context().get_node_id()
    offered = next((n["Resources"] for n in ray.nodes() if n["NodeID"] == here), {})
    count = min(threads_of(config), int(offered.get("CPU", 0)))
    if not 0 < count < ray.cluster_resources().get("CPU", 0):
        return
    group = placement_group([{"CPU": count}], bundle_label_selector=[{"ray.io/node-id": here}])
    if not group.wait(PLACE_SECONDS):
        _log.warning("The %d CPUs of the learner's node are in use: it shares them.", count)


def num_workers(config: ImpalaConfig, learners: int = 1) -> int:
    """Number of a learner's workers: `config.workers`, or with `auto` its share of the CPUs but
    one, and of a joined cluster but those of the learner."""
    if config.workers != "auto":
        return config.workers
    cpus = int(ray.cluster_resources().get("CPU", os.cpu_count() or 1))
    reserved = threads_of(config) if config.ray_address else 1
    return max(1, min(config.actors, cpus // learners - reserved))


def cpus_per_worker(config: ImpalaConfig, processes: int, learners: int) -> float:
    """A whole CPU for each worker on a cluster that the run joined, where workers without one wait
    for it; on this machine, a CPU each if the learners leave so many, else none is reserved.

    Fractions of CPUs that fit into the cluster may not fit onto its nodes, and some workers would
    never start.
    """
    if config.ray_address:
        return 1.0
    # A single learner is no task of Ray's.
    reserved = learners * threads_of(config) if learners > 1 else 0
    free = ray.cluster_resources().get("CPU", 1.0) - reserved
    return 1.0 if free >= processes * learners else 0.0


def gpus_per_worker(config: ImpalaConfig, processes: int) -> float:
    """A worker's share of the cluster's GPUs, so that whole workers fit onto each GPU; 0 if actors
    compute on CPUs.

    Raises:
        ValueError: actors are to compute on GPUs and the cluster has none.
    """
    if config.acting_device == "cpu":
        return 0.0
    gpus = ray.cluster_resources().get("GPU", 0.0)
    if not gpus:
        raise ValueError("--acting-device cuda: Ray finds no GPU in the cluster; use cpu.")
    return 1.0 / math.ceil(processes / gpus)
