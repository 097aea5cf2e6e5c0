"""Any environment that is registered with Gymnasium."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs.config import EnvConfig
from envs.fault import EnvironmentFault


@dataclass(frozen=True, kw_only=True)
class GymnasiumConfig(EnvConfig):
    """An environment registered with Gymnasium, by its id."""

    id: str = "CartPole-v1"  # type: ignore[reportIncompatibleMethodOverride]  # an option here
    """The id; `module:Id-v0` imports the module first, which then registers it."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `gymnasium.make`."""

    @classmethod
    def small(cls) -> Mapping[str, Self]:
        """An environment of Gymnasium with short episodes."""
        return {"cart pole": cls(id="CartPole-v1", kwargs={"max_episode_steps": 9})}

    def make(self, *, render_mode: str | None = None) -> gymnasium.Env:
        """Make one environment.

        Raises:
            ValueError: no environment has this id, or it does not accept these arguments.
        """
        render = {"render_mode": render_mode} if render_mode else {}
        try:
            return gymnasium.make(self.id, **render, **self.kwargs)
        except Exception as error:
            raise ValueError(
                f"--env.id {self.id} cannot be made: {type(error).__name__}: {error}"
            ) from error

    def make_vector(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> SyncVectorEnv:
        """Make environments that are stepped in turn; an error names the index of one."""
        makers = [partial(self._make_watched, i, render_mode) for i in range(num_envs)]
        return SyncVectorEnv(makers, autoreset_mode=autoreset_mode)

    def _make_watched(self, index: int, render_mode: str | None) -> gymnasium.Env:
        return Watched(self.make(render_mode=render_mode), index)


class Watched(gymnasium.Wrapper):
    """Turns any error of one environment of a batch into an `EnvironmentFault`."""

    def __init__(self, env: gymnasium.Env, index: int) -> None:
        super().__init__(env)
        self.index = index

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode."""
        try:
            observation, info = super().reset(seed=seed, options=options)
        except Exception as error:
            raise self._fault(f"reset raised {type(error).__name__}: {error}") from error
        self._check(observation)
        return observation, info

    def step(self, action: Any):
        """Advance by one step."""
        try:
            observation, reward, terminated, truncated, info = super().step(action)
            reward = float(reward)
        except Exception as error:
            raise self._fault(f"step raised {type(error).__name__}: {error}") from error
        self._check(observation)
        if not np.isfinite(reward):
            raise self._fault(f"the reward is {reward}")
        return observation, reward, terminated, truncated, info

    def _fault(self, reason: str) -> EnvironmentFault:
        return EnvironmentFault(self.index, reason)

    def _check(self, observation: Any) -> None:
        space = self.observation_space
        if isinstance(space, Box):
            self._check_array(np.asarray(observation), space)
        elif not space.contains(observation):
            raise self._fault(f"an observation is {observation!r}; its space is {space}")

    def _check_array(self, observation: np.ndarray, space: Box) -> None:
        if observation.shape != space.shape:
            raise self._fault(
                f"an observation has the shape {list(observation.shape)}; "
                f"its space says {list(space.shape)}"
            )
        if not np.can_cast(observation.dtype, space.dtype, "same_kind"):
            raise self._fault(
                f"an observation is {observation.dtype}; its space says {space.dtype}"
            )
        if not np.isfinite(observation).all():
            raise self._fault("an observation is not finite")
