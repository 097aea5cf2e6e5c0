"""The guard around one environment of others in a batch."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.fault import EnvironmentFault
from envs.leaves import Reading, is_read_as_it_is, path_of
from envs.packing import PackedObservation


class Watched(gymnasium.Wrapper):
    """Turns any error of one environment of a batch into an `EnvironmentFault`, checks what the
    environment returns, and packs observations that are not one array.

    Args:
        index: of the environment in its batch.
        reading: how observations are read.
    """

    def __init__(self, env: gymnasium.Env, index: int, reading: Reading) -> None:
        super().__init__(env)
        self.index = index
        self.original_space = env.observation_space
        self.leaves = list(reading.leaves(self.original_space))
        self.packed: PackedObservation | None = None
        if not is_read_as_it_is(self.original_space, self.leaves):
            self.packed = PackedObservation(self.leaves)
            self.observation_space = self.packed

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode."""
        try:
            observation, info = super().reset(seed=seed, options=options)
        except Exception as error:
            raise self._fault(f"reset raised {type(error).__name__}: {error}") from error
        return self._take(observation), info

    def step(self, action: Any):
        """Advance by one step."""
        try:
            observation, reward, terminated, truncated, info = super().step(action)
            reward = float(reward)
        except Exception as error:
            raise self._fault(f"step raised {type(error).__name__}: {error}") from error
        if not np.isfinite(reward):
            raise self._fault(f"the reward is {reward}")
        return self._take(observation), reward, terminated, truncated, info

    def _fault(self, reason: str) -> EnvironmentFault:
        return EnvironmentFault(self.index, reason)

    def _take(self, observation: Any) -> Any:
        """The observation, checked and packed; never an array of the environment's own."""
        self._check(observation, self.original_space, ())
        if self.packed:
            return self.packed.pack(observation)
        return np.array(observation)

    def _check(self, value: Any, space: spaces.Space, keys: tuple[str | int, ...]) -> None:
        """Raise a fault for a value, at `keys` in the observation, that is not in its space."""
        name = f"an observation ({path_of(keys)})" if keys else "an observation"
        if isinstance(space, spaces.Box):
            self._check_array(np.asarray(value), space, name)
        elif isinstance(space, spaces.Dict | spaces.Tuple):
            parts: Any = space.items() if isinstance(space, spaces.Dict) else enumerate(space)
            for key, part in parts:
                try:
                    inside = value[key]
                except (KeyError, IndexError, TypeError):
                    raise self._fault(f"{name} has no {key!r}; its space is {space}") from None
                self._check(inside, part, (*keys, key))
        elif space.dtype is not None and space.dtype.kind == "U":
            if not isinstance(value, str):
                raise self._fault(f"{name} is {value!r}; its space is {space}")
        elif not space.contains(value):
            raise self._fault(f"{name} is {value!r}; its space is {space}")

    def _check_array(self, observation: np.ndarray, space: spaces.Box, name: str) -> None:
        if observation.shape != space.shape:
            raise self._fault(
                f"{name} has the shape {list(observation.shape)}; "
                f"its space says {list(space.shape)}"
            )
        if not np.can_cast(observation.dtype, space.dtype, "same_kind"):
            raise self._fault(f"{name} is {observation.dtype}; its space says {space.dtype}")
        if not np.isfinite(observation).all():
            raise self._fault(f"{name} is not finite")
