"""The source of unrolls: its interface, and a group of actors."""

import time
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from torch import Tensor

from agents.impala.build import build_policy, build_rollout
from agents.impala.config import ImpalaConfig
from agents.impala.life_signs import LifeSigns
from agents.impala.rollout import Unroll
from agents.runs.weights import unflatten
from envs.fault import EnvironmentFault


class UnrollRequest(NamedTuple):
    """What the next unroll is made with."""

    weights: Tensor
    """From `agents.runs.weights.flatten`."""
    version: int
    """Number of learner updates that made the weights."""
    level_options: dict[str, Any]
    """Options of the environment, from the next episode of each actor on."""


class UnrollResult(NamedTuple):
    """One finished unroll."""

    unroll: Unroll
    seconds: float
    """Time spent acting."""


class WorkersLost(RuntimeError):
    """A worker was lost too often in a row."""


class EnvironmentHangs(RuntimeError):
    """An environment in this process does not return from a step; the message says where it is."""


START_LIMIT = 300.0
"""Seconds for a worker's first step, which includes imports and compilation, if the deadline is not
larger."""


class Workers(ABC):
    """A source of unrolls."""

    num_processes: int
    """Number of processes that act at the same time."""
    num_restarts: int
    """Number of workers that were lost and restarted so far."""

    @abstractmethod
    def gather(self, room: int, wait: bool) -> list[UnrollResult]:
        """Return the unrolls that are finished.

        Args:
            room: number of trajectories that may be queued or in flight in addition to those in
                the queue; no unroll is requested beyond it.
            wait: block until an unroll arrives, since the learner has no batch.
        """

    def waits_for(self) -> str:
        """What the learner is waiting for, as far as it is known."""
        return "an unroll"

    @abstractmethod
    def close(self) -> None:
        """Stop all workers."""


class ActingGroup:
    """A group of actors with their own copy of the policy.

    Args:
        request: the first one; its levels are those of the first episodes.
        attempt: number of times that the worker was restarted.
        life: counts the steps.
    """

    def __init__(
        self,
        config: ImpalaConfig,
        actors: range,
        request: UnrollRequest,
        attempt: int = 0,
        life: LifeSigns | None = None,
    ) -> None:
        self.life = life or LifeSigns()
        self.life.begin()
        self.policy = build_policy(config)
        self._level_options = request.level_options
        self.rollout = build_rollout(
            config, self.policy, actors, request.version, attempt, request.level_options
        )
        self.rollout.after_step = self.life.step

    def act(self, request: UnrollRequest) -> UnrollResult:
        """Make one unroll with the weights and levels of a request."""
        started = time.perf_counter()
        self.life.begin()
        unflatten(self.policy, request.weights)
        if request.level_options != self._level_options:
            self.rollout.env.set_options(request.level_options)
            self._level_options = request.level_options
        try:
            unroll = self.rollout.unroll(request.version)
        except SystemExit as end:
            reason = f"an environment called sys.exit({end.code!r})"
            raise EnvironmentFault(0, reason, end) from end
        finally:
            self.life.end()
        return UnrollResult(unroll, time.perf_counter() - started)
