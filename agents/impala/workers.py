"""The source of unrolls: its interface, and the implementation that acts in this process."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from agents.impala.build import build_policy, build_rollout
from agents.impala.config import ImpalaConfig
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

    @abstractmethod
    def close(self) -> None:
        """Stop all workers."""


class ActingGroup:
    """A group of actors with their own copy of the policy.

    Args:
        request: the first one; its levels are those of the first episodes.
        attempt: number of times that the worker was restarted.
    """

    def __init__(
        self, config: ImpalaConfig, actors: range, request: UnrollRequest, attempt: int = 0
    ) -> None:
        self.policy = build_policy(config)
        self._level_options = request.level_options
        self.rollout = build_rollout(
            config, self.policy, actors, request.version, attempt, request.level_options
        )

    def act(self, request: UnrollRequest) -> UnrollResult:
        """Make one unroll with the weights and levels of a request."""
        started = time.perf_counter()
        unflatten(self.policy, request.weights)
        if request.level_options != self._level_options:
            self.rollout.env.set_options(request.level_options)
            self._level_options = request.level_options
        try:
            unroll = self.rollout.unroll(request.version)
        except SystemExit as end:
            raise EnvironmentFault(0, f"an environment called sys.exit({end.code!r})") from end
        return UnrollResult(unroll, time.perf_counter() - started)


class LocalWorkers(Workers):
    """All actors in this process, which act only when the learner has no batch.

    Repeatable bit for bit: for debugging, tests and exact resume.

    Args:
        next_request: returns the request for the next unroll.
        actors: the numbers of the actors, by default from 0 on.
    """

    num_processes = 1

    def __init__(
        self,
        config: ImpalaConfig,
        next_request: Callable[[], UnrollRequest],
        actors: range | None = None,
    ) -> None:
        self.num_restarts = 0
        self.group = ActingGroup(config, actors or range(config.actors), next_request())
        self.next_request = next_request

    def gather(self, room: int, wait: bool) -> list[UnrollResult]:
        """Return one unroll of all actors if `wait`, else nothing."""
        return [self.group.act(self.next_request())] if wait else []

    def get_state(self) -> dict[str, Any] | None:
        """State of the actors and their episodes; None if the environment has no `get_state`."""
        rollout = self.group.rollout
        return rollout.get_state() if hasattr(rollout.env, "get_state") else None

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `get_state`."""
        self.group.rollout.set_state(state)

    def close(self) -> None:
        """Close the environments."""
        self.group.rollout.env.close()
