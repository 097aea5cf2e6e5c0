"""The guard around one environment of others in a batch."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.fault import EnvironmentFault
from envs.spaces.action_mask import ACTION_MASK, ActionMask, Masks, is_maskable, mask_in
from envs.spaces.actions import PackedAction
from envs.spaces.leaves import Reading, is_read_as_it_is, path_of
from envs.spaces.packing import PackedObservation

MAX_SEED = 2**31
"""Seeds are taken modulo this number for an environment that refuses larger ones."""
INFOS = ("solved",)
"""Infos that are passed on, where they are numbers."""
_log = logging.getLogger(__name__)


class Watched(gymnasium.Wrapper):
    """Turns any error of one environment of a batch into an `EnvironmentFault`, checks what the
    environment returns, and packs observations that are not one array.

    Arrays of the environment are copied, so that it may use them again. Infos that nobody reads are
    dropped; masks of actions are packed with the observation. `Discrete` actions are counted from
    0. The working folder stays what it is. Observations out of bounds are counted in
    `num_out_of_bounds`, and reported once.

    Args:
        index: of the environment in its batch.
        reading: how observations are read.
        squash: of the actions, see `PackedAction`.
        masks: `used`: actions are masked by `info["action_mask"]`. `absent`: there is no such info,
            and one is refused.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        index: int,
        reading: Reading,
        squash: bool = True,
        masks: Masks = "absent",
    ) -> None:
        super().__init__(env)
        self.index = index
        self.num_out_of_bounds = 0
        self._has_small_seeds = False
        self.original_space = env.observation_space
        self.leaves = list(reading.leaves(self.original_space))
        self.first_action = 0
        if isinstance(env.action_space, spaces.Discrete) and env.action_space.start:
            self.first_action = int(env.action_space.start)
            self.action_space = spaces.Discrete(int(env.action_space.n))
        self.packed_action: PackedAction | None = None
        if not isinstance(env.action_space, spaces.Discrete):
            self.packed_action = PackedAction(env.action_space, squash)
            self.action_space = self.packed_action
        self.packed: PackedObservation | None = None
        self.mask = ActionMask(env.action_space) if masks == "used" else None
        self.allowed: np.ndarray | None = None
        """Mask of the next action, uint8; None without masks."""
        self._refuses_masks = masks == "absent" and is_maskable(env.action_space)
        if self.mask or not is_read_as_it_is(self.original_space, self.leaves):
            self.packed = PackedObservation(self.leaves, self.mask.size if self.mask else 0)
            self.observation_space = self.packed

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Start an episode."""
        with working_folder_kept():
            observation, info = self._reset(seed, options)
        self._read_mask(mask_in(info))
        return self._take(observation), _asked(info)

    def step(self, action: Any):
        """Advance by one step."""
        try:
            with working_folder_kept():
                observation, reward, terminated, truncated, info = super().step(self._act(action))
            reward = float(reward)
        except Exception as error:
            reason = f"step raised {type(error).__name__}: {error}"
            raise self._fault(reason, error) from error
        if not np.isfinite(reward):
            raise self._fault(f"the reward is {reward}")
        for name, flag in (("terminated", terminated), ("truncated", truncated)):
            if not isinstance(flag, bool | np.bool_):
                raise self._fault(f"{name} is {flag!r}; expected a bool")
        # At the end of an episode there may be no action to take.
        self._read_mask(None if terminated or truncated else mask_in(info))
        return self._take(observation), reward, bool(terminated), bool(truncated), _asked(info)

    def _act(self, action: Any) -> Any:
        """The action in the environment's own space."""
        if self.packed_action is not None:
            return self.packed_action.unpack(action)
        return action + self.first_action if self.first_action else action

    def _reset(self, seed: int | None, options: dict[str, Any] | None) -> tuple[Any, Any]:
        """Reset, with a seed of 31 bits if the environment refuses larger ones."""
        if seed is not None and self._has_small_seeds:
            seed %= MAX_SEED
        try:
            return super().reset(seed=seed, options=options)
        except Exception as error:
            if seed is None or seed < MAX_SEED:
                reason = f"reset raised {type(error).__name__}: {error}"
                raise self._fault(reason, error) from error
        self._has_small_seeds = True
        return self._reset(seed, options)

    def _fault(self, reason: str, error: Exception | None = None) -> EnvironmentFault:
        return EnvironmentFault(self.index, reason, error)

    def _take(self, observation: Any) -> Any:
        """The observation, checked and packed; never an array of the environment's own."""
        self._check(observation, self.original_space, ())
        if self.packed:
            return self.packed.pack(observation, self.allowed)
        return np.array(observation)

    def _read_mask(self, mask: Any) -> None:
        if self.mask is not None:
            try:
                self.allowed = self.mask.read(mask)
            except ValueError as error:
                raise self._fault(str(error)) from None
        elif self._refuses_masks and mask is not None:
            raise self._fault(
                f"info[{ACTION_MASK!r}] is there now, but was not after the first reset; expected "
                "in both, or --env.no-action-mask"
            )

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
        if (observation < space.low).any() or (observation > space.high).any():
            self._note_out_of_bounds(observation, space, name)

    def _note_out_of_bounds(self, observation: np.ndarray, space: spaces.Box, name: str) -> None:
        self.num_out_of_bounds += 1
        if self.num_out_of_bounds == 1 and self.index == 0:
            _log.warning(
                "%s has values from %g to %g; its space says %g to %g. It is used as it is.",
                name,
                observation.min(),
                observation.max(),
                space.low.min(),
                space.high.max(),
            )


@contextmanager
def working_folder_kept() -> Iterator[None]:
    """Return to the working folder, which an environment may have changed."""
    before = os.getcwd()
    try:
        yield
    finally:
        if os.getcwd() != before:
            os.chdir(before)


def _asked(info: Any) -> dict[str, float]:
    """The infos that are read, where they are numbers."""
    found = dict[str, float]()
    for name in INFOS:
        if isinstance(info, Mapping) and name in info:
            with suppress(TypeError, ValueError):
                found[name] = float(info[name])
    return found


class SafelyClosed(gymnasium.Wrapper):
    """Reports an error of `close`, which would end a run whose work is done."""

    def close(self) -> None:
        """Close the environment."""
        try:
            super().close()
        except Exception as error:
            _log.warning("an environment's close raised %s: %s", type(error).__name__, error)
