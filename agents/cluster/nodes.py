"""Checks that all nodes of a cluster run the code and the versions of this process."""

# pyright: standard

from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agents.cluster import installation as module
from agents.cluster.installation import differences, installation

PATIENCE = 60.0
"""Seconds in which a process must start on each node."""


def check_nodes(address: str, ships: bool) -> None:
    """Refuse nodes with CPUs, on which processes of a run may start, that differ from this one.

    Args:
        ships: whether the sources were sent to them.

    Raises:
        ValueError: names each node with what differs.
    """
    ours = installation()
    nodes = {n["NodeID"]: n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")}
    wrong = [
        f"{_name(node, nodes[node]['NodeManagerAddress'])} {words}"
        for node, words in _ask(list(nodes), ours).items()
        if words
    ]
    if wrong:
        advice = "Install the same versions there"
        if not ships:
            advice = "Leave out --no-ship, which sends the sources, and install the same versions"
        raise ValueError(
            f"--ray-address {address}: nodes differ from this process: {'; '.join(wrong)}. "
            f"{advice}."
        )


def this_node() -> str:
    """The node of this process, for messages."""
    return _name(ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address())


def _name(node: str, address: str) -> str:
    """A node for messages: its address and the first digits of its number."""
    return f"node {address} ({node[:8]})"


def _ask(nodes: list[str], ours: dict[str, str]) -> dict[str, str]:
    """What is wrong on each node; empty if nothing is."""
    # The program itself is sent, since a node may not have the project; a lambda is sent whole.
    program = Path(module.__file__).read_text(encoding="utf-8")
    run: Any = ray.remote(num_cpus=0, max_retries=1)(
        lambda program: (space := {}, exec(str(program), space), space["installation"]())[-1]
    )
    asked = {
        run.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            program
        ): node
        for node in nodes
    }
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE)
    found = {asked[ref]: f"started no process in {PATIENCE:.0f} s" for ref in late}
    for ref in ready:
        try:
            found[asked[ref]] = differences(ray.get(ref), ours)
        except RuntimeEnvSetupError as error:
            found[asked[ref]] = f"could not receive the sources: {_first_line(error.error_message)}"
        except RayError as error:
            if any(node["Alive"] and node["NodeID"] == asked[ref] for node in ray.nodes()):
                found[asked[ref]] = f"failed to answer: {_first_line(error)}"
    return found


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
