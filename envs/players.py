"""Scripted players: the interface, and one that acts at random."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from envs.actions import PackedAction


@runtime_checkable
class ScriptedPlayer(Protocol):
    """Chooses actions for all environments of a batch; it looks at them by itself."""

    def act(self) -> np.ndarray:
        """The next action of each environment, int64 `[N]`."""
        ...


MakePlayer = Callable[[Any, int], ScriptedPlayer]
"""Makes a player from a vector environment and a seed."""


class RandomPlayer:
    """Takes every action that is allowed with the same probability; real numbers are uniform.

    Raises:
        ValueError: the actions are neither Discrete nor packed.
    """

    def __init__(self, env: VectorEnv, seed: int) -> None:
        space = env.single_action_space
        if not isinstance(space, spaces.Discrete | PackedAction):
            raise ValueError(f"the random player needs Discrete or packed actions, not {space}")
        self._space: spaces.Discrete | PackedAction = space
        self._count = env.num_envs
        self._random = np.random.default_rng(seed)

    def act(self) -> np.ndarray:
        """The next action of each environment, int64 `[N]`, or the numbers of packed ones."""
        if isinstance(self._space, PackedAction):
            size = (self._count, *self._space.shape)
            numbers = self._random.uniform(self._space.low, self._space.high, size)
            return numbers.astype(np.float32)
        return self._space.start + self._random.integers(self._space.n, size=self._count)
