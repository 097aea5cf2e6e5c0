"""Scripted players: the interface, and one that acts at random."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from envs.spaces.actions import PackedAction
from envs.spaces.packing import PackedObservation


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
        self._env, self._space = env, space
        observations = env.single_observation_space
        self._masked = isinstance(observations, PackedObservation) and observations.mask_slot
        self._count = env.num_envs
        self._random = np.random.default_rng(seed)

    def act(self) -> np.ndarray:
        """The next action of each environment, int64 `[N]`, or the numbers of packed ones."""
        if self._masked:
            return self._allowed_actions()
        if isinstance(self._space, PackedAction):
            size = (self._count, *self._space.shape)
            numbers = self._random.uniform(self._space.low, self._space.high, size)
            return numbers.astype(np.float32)
        return self._space.start + self._random.integers(self._space.n, size=self._count)

    def _allowed_actions(self) -> np.ndarray:
        """One of the allowed actions of each part."""
        allowed = np.stack(self._env.get_attr("allowed"))  # type: ignore[reportAttributeAccessIssue]
        keys = self._random.random(allowed.shape) * allowed
        if isinstance(self._space, spaces.Discrete):
            return keys.argmax(-1)
        ends = np.cumsum([part.num_choices for part in self._space.parts])
        parts = np.split(keys, ends[:-1], axis=-1)
        return np.stack([part.argmax(-1) for part in parts], axis=-1).astype(np.float32)
