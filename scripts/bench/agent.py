"""Operations and CPU time of acting and learning, each measured alone for one agent.

Call `agents.runs.process.prepare` before importing this module.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence

from torch.utils.flop_counter import FlopCounterMode

from agents.cli.command_line import parse
from agents.impala.build import build_learner, build_policy, build_rollout
from agents.impala.program import IMPALA
from agents.impala.trajectory import take
from memory import CORES

PLAIN = ("--core.fused", "never")
"""Flags for plain PyTorch, whose operations can be counted, in cores with compiled code."""


def plain(core: str) -> Sequence[str]:
    """`PLAIN` if the core has compiled code."""
    return PLAIN if hasattr(CORES[core](), "fused") else ()


class Agent:
    """One network with trajectories to learn from.

    Args:
        flags: as `scripts/impala.py` takes them.
        unrolls: number before the measurement; after three, episodes end at different steps.
    """

    def __init__(self, flags: Sequence[str], unrolls: int = 3) -> None:
        self.config = parse([*flags], IMPALA).config
        policy = build_policy(self.config)
        self.rollout = build_rollout(self.config, policy, range(self.config.actors), 0)
        self.learner = build_learner(self.config, build_policy(self.config))
        for _ in range(unrolls - 1):
            self.rollout.unroll(0)
        trajectory = self.rollout.unroll(0).trajectory
        self.batch = take(trajectory, 0, min(self.config.batch, self.config.actors))
        # One episode starts inside the unroll, as in most batches. Without one, an LSTM is a single
        # call of PyTorch, which takes a different time and whose operations are not counted.
        self.batch.inputs.resets[1, 0] = True

    @property
    def acted(self) -> int:
        """Frames of an unroll of all actors."""
        return self.config.unroll * self.config.actors

    @property
    def learnt(self) -> int:
        """Frames of an update."""
        return self.batch.terminated.numel()

    def act(self) -> None:
        """An unroll of all actors."""
        self.rollout.unroll(0)

    def learn(self) -> None:
        """An update."""
        self.learner.update(self.batch)


def operations(work: Callable[[], object]) -> int:
    """Number of floating-point operations in products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def cpu_time(work: Callable[[], object], repeats: int = 9) -> float:
    """Median CPU seconds of a call, after one warm-up call."""
    return statistics.median(time_of(work, repeats + 1)[1:])


def time_of(work: Callable[[], object], repeats: int) -> list[float]:
    """CPU seconds of each of `repeats` calls."""
    found = [math.inf] * repeats
    for i in range(repeats):
        started = time.process_time()
        work()
        found[i] = time.process_time() - started
    return found
