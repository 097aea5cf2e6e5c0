"""Where unrolls come from, in whatever processes; and the simplest such place: here."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from agents.impala.build import build_policy, build_rollout
from agents.impala.config import ImpalaConfig
from agents.impala.rollout import Unroll
from agents.runs.weights import unflatten


class Orders(NamedTuple):
    """With what to act next."""

    weights: Tensor
    """From `agents.impala.learner.flatten`."""
    version: int
    """Learner updates behind the weights."""
    level_options: dict[str, Any]
    """Of the environment, from its next episodes on."""


class Delivery(NamedTuple):
    """One finished unroll."""

    unroll: Unroll
    seconds: float
    """Time it took to act."""


class WorkersLost(RuntimeError):
    """Workers die as often as they are started."""


class Workers(ABC):
    """A source of unrolls."""

    num_processes: int
    """How many act at the same time."""
    num_restarts: int
    """Workers lost and started again so far."""

    @abstractmethod
    def gather(self, room: int, wait: bool) -> list[Delivery]:
        """Unrolls that are finished.

        Args:
            room: trajectories the learner could take in beyond those that wait; workers stand still
                when there is none.
            wait: nothing else can be done before something arrives.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop all work."""


class ActingGroup:
    """A group of actors with their own copy of the policy, which follows orders."""

    def __init__(
        self, config: ImpalaConfig, actors: range, start_version: int, attempt: int = 0
    ) -> None:
        self.policy = build_policy(config)
        self.rollout = build_rollout(config, self.policy, actors, start_version, attempt)
        self._level_options: dict[str, Any] = {}

    def act(self, orders: Orders) -> Delivery:
        """One unroll with the ordered weights and levels."""
        begun = time.perf_counter()
        unflatten(self.policy, orders.weights)
        if orders.level_options != self._level_options:
            self.rollout.env.set_options(orders.level_options)
            self._level_options = orders.level_options
        unroll = self.rollout.unroll(orders.version)
        return Delivery(unroll, time.perf_counter() - begun)


class LocalWorkers(Workers):
    """All actors in this process, acting only when the learner has nothing to learn from.

    Repeatable bit for bit, and without any other process: for debugging, tests and exact resume.
    """

    num_processes = 1
    num_restarts = 0

    def __init__(self, config: ImpalaConfig, orders: Callable[[], Orders]) -> None:
        self.group = ActingGroup(config, range(config.actors), orders().version)
        self.orders = orders

    def gather(self, room: int, wait: bool) -> list[Delivery]:
        """One unroll of all actors, if the learner waits for it."""
        return [self.group.act(self.orders())] if wait else []

    def get_state(self) -> dict[str, Any] | None:
        """Of the actors, amid their episodes; None if an environment cannot tell its state."""
        rollout = self.group.rollout
        return rollout.get_state() if hasattr(rollout.env, "get_state") else None

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` gave."""
        self.group.rollout.set_state(state)

    def close(self) -> None:
        """Close the environments."""
        self.group.rollout.env.close()
