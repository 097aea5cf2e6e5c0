"""A cluster on this machine, of which nodes are lost."""

# pyright: standard

import os
import secrets
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]
from ray.cluster_utils import Cluster

from agents.cli.exit_status import OK
from agents.cluster.ray_session import MODE, TOKEN
from agents.faults.processes import SMALL, Program, name_of, workers_of
from agents.faults.row import Row

LOSS_SECONDS = 10.0
"""From the loss of a node to its return."""
LONGEST_PAUSE = 30.0
"""Seconds in which frames must come again."""


@contextmanager
def local_cluster(num_cpus: int, **head: object) -> Generator[Cluster, None, None]:
    """A head node on this machine; processes that are started within find its token."""
    # It stays that of this process, since Ray reads it once.
    os.environ.setdefault(TOKEN, secrets.token_hex(32))
    with patch.dict(os.environ, {MODE: "token"}):
        Config.initialize("")  # since Ray reads the mode when it is imported
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": num_cpus, **head})
        try:
            yield cluster
        finally:
            cluster.shutdown()


def lose_nodes(folder: Path, count: int) -> Row:
    """Kill one of two nodes, and add another, again and again."""
    pauses: list[float] = []
    returns: list[float] = []
    with local_cluster(num_cpus=2) as cluster:  # one of the learner, one of a worker
        node: Any = cluster.add_node(num_cpus=1)
        options = f"{SMALL} --workers 2 --ray-address {cluster.address} --checkpoint-minutes 99"
        with Program(folder, "impala.py", options) as run:
            run.wait_for_updates(5)
            run.wait_for(lambda: _num_acting() == 2)
            for _ in range(count):
                cluster.remove_node(node, allow_graceful=False)
                lost = time.monotonic()
                pauses.append(
                    _longest_pause(run, lambda since=lost: time.monotonic() > since + LOSS_SECONDS)
                )
                node = cluster.add_node(num_cpus=1)
                added = time.monotonic()
                pauses.append(_longest_pause(run, lambda: _num_acting() == 2))
                returns.append(time.monotonic() - added)
            run.process.send_signal(signal.SIGTERM)
            status = run.end()
            frames = [line["frame"] for line in run.lines()]
    return Row(
        f"{count} losses of one of two nodes of a local cluster; another joins after "
        f"{LOSS_SECONDS:g} s",
        f"longest pause without frames {max(pauses):.1f} s; both workers act "
        f"{fmean(returns):.1f} s (at most {max(returns):.1f}) after a node joins; status {status}",
        f"no pause over {LONGEST_PAUSE:g} s, each node is used, status 0",
        max(pauses) <= LONGEST_PAUSE and status == OK and frames == sorted(frames),
    )


def _num_acting() -> int:
    """Workers of this process's nodes that make an unroll now."""
    return sum("_Worker.act" in name_of(number) for number in workers_of(os.getpid()))


def _longest_pause(run: Program, is_over: Callable[[], bool]) -> float:
    """Seconds between two frames, at most, until a condition holds."""
    longest, frame, since = 0.0, run.lines()[-1]["frame"], time.monotonic()
    until = since + 4 * LONGEST_PAUSE

    def watch() -> bool:
        nonlocal longest, frame, since
        now = time.monotonic()
        longest = max(longest, now - since)
        if (newest := run.lines()[-1]["frame"]) > frame:
            frame, since = newest, now
        return is_over()

    run.wait_for(watch, until - since)
    return longest
