"""Workers on a local cluster of two nodes, of which one is lost and returns."""

import time
from collections.abc import Callable, Generator

import pytest
from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]
from ray.cluster_utils import Cluster

from agents.cluster.ray_session import TOKEN, connect_ray
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.ray_workers import RayWorkers
from agents.impala.workers import UnrollRequest
from agents.runs.weights import flatten
from memory import LSTMConfig


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Generator[Cluster]:
    """A head node with one CPU."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv(TOKEN, "0" * 64)
    Config.initialize("")  # since Ray reads the mode when it is imported
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield cluster
    cluster.shutdown()


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


@pytest.mark.slow
def test_a_lost_node_leaves_the_other_worker_acting_and_returns(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=1)
    connect_ray(cluster.address)
    config = ImpalaConfig(
        core=LSTMConfig(), actors=3, workers=2, unroll=5, ray_address=cluster.address
    )
    weights = flatten(build_policy(config))
    workers = RayWorkers(config, lambda: UnrollRequest(weights, 0, {}))
    try:
        gather_until(workers, lambda arrived: len(arrived) == 2, 60)
        cluster.remove_node(node)
        gather_until(workers, lambda _: workers.num_restarts >= 1, 30)
        gather_until(workers, lambda arrived: len(arrived) == 1, 10)
        for _ in range(3):  # the room of the larger worker, which the replacement must not hold
            gather_until(workers, lambda arrived: len(arrived) == 1, 10, room=2)
        cluster.add_node(num_cpus=1)
        gather_until(workers, lambda arrived: len(arrived) == 2, 60)
    finally:
        workers.close()
