"""A cluster with nodes that lack the project, or have an older copy of it."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.exceptions import NodeDiedError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agents.cluster import nodes
from agents.cluster.installation import installation
from agents.cluster.nodes import check_nodes
from agents.cluster.ray_session import connect_ray, leave_ray
from tests.agents.local_cluster import add_node_without_project, older_copy, with_sources


class FakeRay:
    """Nodes with the answers of their processes; None does not answer."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.gone = answers, set[str]()
        self.cpus = dict.fromkeys(answers, 1.0)

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "NodeID": name * 56,
                "Alive": name not in self.gone,
                "NodeManagerAddress": f"10.0.0.{number}",
                "Resources": {"CPU": self.cpus[name]} if self.cpus[name] else {},
            }
            for number, name in enumerate(self.answers)
        ]

    def remote(self, **_: Any) -> Any:
        return lambda program: self

    def options(self, scheduling_strategy: NodeAffinitySchedulingStrategy) -> Any:
        self.asked = scheduling_strategy.node_id[0]
        return type("Probe", (), {"remote": lambda run, program: self.asked})()

    def wait(self, refs: list[str], num_returns: int, timeout: float) -> Any:
        late = [ref for ref in refs if self.answers[ref] is None]
        return [ref for ref in refs if ref not in late], late

    def get(self, ref: str) -> dict[str, str]:
        if isinstance(answer := self.answers[ref], Exception):
            self.gone |= {ref} if isinstance(answer, NodeDiedError) else set()
            raise answer
        return answer


OURS = installation()


def refusal(monkeypatch: pytest.MonkeyPatch, fake: FakeRay, ships: bool = True) -> str:
    monkeypatch.setattr(nodes, "ray", fake)
    with pytest.raises(ValueError) as caught:
        check_nodes("10.0.0.0:6379", ships)
    return str(caught.value)


def test_nodes_of_other_versions_are_all_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**OURS, "torch": "2.6.0", "python": "3.13"}
    fake = FakeRay(a=OURS, b=other, c={**OURS, "numpy": "none"})
    words = refusal(monkeypatch, fake)
    assert words.startswith("--ray-address 10.0.0.0:6379: nodes differ from this process: node ")
    python, torch, numpy = (OURS[name] for name in ("python", "torch", "numpy"))
    assert (
        f"node 10.0.0.1 (bbbbbbbb) python 3.13 (here {python}), torch 2.6.0 (here {torch});"
        in words
    )
    assert f"node 10.0.0.2 (cccccccc) numpy none (here {numpy}). " in words
    assert "10.0.0.0 (" not in words and "--no-ship" not in words
    assert "Leave out --no-ship" in refusal(monkeypatch, fake, ships=False)


def test_nodes_that_cannot_start_a_process_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRay(a=None, b=RuntimeEnvSetupError("No space left on device"))
    words = refusal(monkeypatch, fake)
    assert "10.0.0.0 (aaaaaaaa) started no process in 60 s; " in words
    assert "(bbbbbbbb) could not receive the sources: " in words and "No space left" in words


def test_a_node_that_is_lost_meanwhile_or_offers_no_cpu_is_not_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeRay(a=OURS, b=NodeDiedError("gone"), c={})
    fake.cpus["c"] = 0.0
    monkeypatch.setattr(nodes, "ray", fake)
    check_nodes("10.0.0.0:6379", ships=True)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Cluster]:
    """A head node, in another folder than that of the project."""
    monkeypatch.chdir(tmp_path)
    with with_sources(1) as cluster:
        yield cluster


def sources_on(node: str) -> str:
    """Where a process on a node imports the project from."""

    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    place: Any = ray.remote(lambda: __import__("memory").__file__)
    return ray.get(place.options(num_cpus=0, scheduling_strategy=strategy).remote())


@pytest.mark.slow
def test_nodes_without_the_project_or_with_an_older_copy_are_sent_it_or_refused(
    cluster: Cluster, tmp_path: Path
) -> None:
    assert cluster.head_node
    older = older_copy(tmp_path / "older")
    copy = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(older)})
    bare = add_node_without_project(cluster, num_cpus=1)
    with pytest.raises(ValueError) as caught:
        connect_ray(cluster.address, ship=False)
    words = str(caught.value)
    assert f"({bare.node_id[:8]}) sources none (here {OURS['sources']})" in words
    assert f"({copy.node_id[:8]}) sources " in words
    assert cluster.head_node.node_id[:8] not in words and not ray.is_initialized()

    connect_ray(cluster.address)
    try:
        for node in (copy.node_id, bare.node_id):
            assert "working_dir_files" in sources_on(node)
    finally:
        leave_ray()
