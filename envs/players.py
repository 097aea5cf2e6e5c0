"""Scripted players: the interface, and one that acts at random."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv


@runtime_checkable
class ScriptedPlayer(Protocol):
    """Chooses actions for all environments of a batch; it looks at them by itself."""

    def act(self) -> np.ndarray:
        """The next action of each environment, int64 `[N]`."""
        ...


MakePlayer = Callable[[Any, int], ScriptedPlayer]
"""Makes a player from a vector environment and a seed."""


class RandomPlayer:
    """Takes every action with the same probability.

    Raises:
        ValueError: the actions are not Discrete.
    """

    def __init__(self, env: VectorEnv, seed: int) -> None:
        if not isinstance(env.single_action_space, spaces.Discrete):
            raise ValueError(
                f"the random player needs Discrete actions, not {env.single_action_space}"
            )
        self._space: spaces.Discrete = env.single_action_space
        self._count = env.num_envs
        self._random = np.random.default_rng(seed)

    def act(self) -> np.ndarray:
        """The next action of each environment, int64 `[N]`."""
        return self._space.start + self._random.integers(self._space.n, size=self._count)
