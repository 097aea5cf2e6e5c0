"""Workers on local clusters: nodes that are lost, that return, and that have other sources."""

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from agents.cluster.ray_session import connect_ray
from agents.cluster.shipping import ROOT
from agents.faults.processes import SMALL, Program
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.distributed.ray_workers import RayWorkers
from agents.impala.workers import UnrollRequest
from agents.runs.weights import flatten
from memory import LSTMConfig
from tests.agents.local_cluster import add_node_without_project, older_copy, with_sources


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Cluster]:
    """A head node with two CPUs, one of which the learner reserves."""
    monkeypatch.chdir(tmp_path)
    with with_sources(2) as cluster:
        yield cluster


def start(cluster: Cluster, workers: int = 2, **fields: Any) -> RayWorkers:
    """Groups of different sizes."""
    config = ImpalaConfig(
        core=LSTMConfig(),
        actors=2 * workers - 1,
        workers=workers,
        unroll=5,
        ray_address=cluster.address,
        **fields,
    )
    weights = flatten(build_policy(config))
    return RayWorkers(config, lambda: UnrollRequest(weights, 0, {}))


def gather_until(
    workers: RayWorkers, condition: Callable[[set[int]], bool], seconds: float, room: int = 3
) -> None:
    """Gather until the sizes of the groups of actors that delivered fulfil a condition."""
    arrived: set[int] = set()
    deadline = time.monotonic() + seconds
    while not condition(arrived):
        assert time.monotonic() < deadline, f"only groups of {arrived} delivered"
        for result in workers.gather(room=room, wait=True):
            arrived.add(len(result.unroll.trajectory.version))


def both(arrived: set[int]) -> bool:
    return len(arrived) == 2


def one(arrived: set[int]) -> bool:
    return len(arrived) == 1


@pytest.mark.slow
def test_a_lost_node_leaves_the_other_worker_acting_and_returns(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=1)
    connect_ray(cluster.address)
    workers = start(cluster)
    try:
        gather_until(workers, both, 60)
        cluster.remove_node(node)
        gather_until(workers, lambda _: workers.num_restarts >= 1, 30)
        gather_until(workers, one, 10)
        for _ in range(3):  # the room of the larger worker, which the replacement must not hold
            gather_until(workers, one, 10, room=2)
        cluster.add_node(num_cpus=1)
        gather_until(workers, both, 60)
    finally:
        workers.close()


@pytest.mark.slow
def test_learners_that_fill_their_node_use_workers_on_another(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.add_node(num_cpus=2, env_vars={"PYTHONPATH": str(ROOT)})
    options = f"{SMALL} --learners 2 --workers 2 --no-ship --ray-address {cluster.address}"
    with Program(tmp_path, "impala.py", options) as run:
        run.wait_for_updates(3)
        assert run.lines()[-1]["frame"] > 0


@pytest.mark.slow
def test_a_node_that_joins_later_is_used_even_without_the_project_and_the_learner_keeps_its_cpu(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    connect_ray(cluster.address)
    workers = start(cluster)
    try:
        gather_until(workers, one, 60)
        deadline = time.monotonic() + 12
        gather_until(workers, lambda _: time.monotonic() > deadline, 20)
        assert "waits for a node: it needs 1 CPU, the cluster has 2, of which 0 are" in caplog.text
        add_node_without_project(cluster, num_cpus=1)
        gather_until(workers, both, 60)
        assert workers.num_restarts == 0
    finally:
        workers.close()


@pytest.mark.slow
def test_a_node_with_an_older_copy_that_joins_later_is_named_and_not_used(
    cluster: Cluster, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    connect_ray(cluster.address, ship=False)
    workers = start(cluster, ship=False)
    try:
        gather_until(workers, one, 60)
        older = older_copy(tmp_path / "older")
        node = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(older)})
        name = f"({node.node_id[:8]}) is not used: sources "
        gather_until(workers, lambda _: name in caplog.text, 60)
        gather_until(workers, one, 20)
        assert ray.available_resources()["CPU"] == 1.0
        cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(Path(__file__).parents[4])})
        gather_until(workers, both, 60)
    finally:
        workers.close()
