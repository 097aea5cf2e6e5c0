"""Every core, small, and environments whose every answer is known, registered with Gymnasium."""

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from memory.core import CoreConfig
from tests.memory.small_cores import SMALL_CORES


@pytest.fixture(params=SMALL_CORES)
def core(request: pytest.FixtureRequest) -> CoreConfig:
    """The configuration of every core, in every mode."""
    return SMALL_CORES[request.param]


class Counter(gymnasium.Env):
    """Shows how many steps it ever took, and how many in this episode; 3 actions.

    The reward is ten times the steps ever taken, plus the action. Episodes last `lengths` in turn,
    and in turn are terminated, truncated, and both at once.
    """

    observation_space = Box(0, np.inf, (2,), np.float32)
    action_space = Discrete(3)
    ends = ((True, False), (False, True), (True, True))

    def __init__(self, lengths: tuple[int, ...] = (3, 5, 4), render_mode: str | None = None):
        self.lengths, self.total, self.episode = lengths, 0, -1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.episode += 1
        self.steps = 0
        return self._observe(), {}

    def step(self, action):
        self.total += 1
        self.steps += 1
        over = self.steps == self.lengths[self.episode % len(self.lengths)]
        terminated, truncated = self.ends[self.episode % 3] if over else (False, False)
        return self._observe(), float(10 * self.total + action), terminated, truncated, {}

    def _observe(self):
        return np.array([self.total, self.steps], np.float32)


class Naming(gymnasium.Env):
    """Shows a symbol; reward 1 for naming the one of `delay` steps ago. 20 steps, truncated."""

    observation_space = Discrete(3)
    action_space = Discrete(3)

    def __init__(self, delay: int = 0, render_mode: str | None = None):
        self.delay = delay

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.shown = [int(self.np_random.integers(3))]
        return self.shown[-1], {}

    def step(self, action):
        named = len(self.shown) > self.delay and action == self.shown[-1 - self.delay]
        self.shown.append(int(self.np_random.integers(3)))
        return self.shown[-1], float(named), False, len(self.shown) > 20, {}


class Faulty(gymnasium.Env):
    """Goes wrong once its `fails_at`-th step is made, or its reset where that is 0."""

    observation_space = Box(0, 9, (2,), np.float32)
    action_space = Discrete(2)
    fails_at: int | None = None

    def __init__(self, how: str = "raises", render_mode: str | None = None):
        self.how, self.steps = how, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action):
        self.steps += 1
        fails = self.steps == self.fails_at
        reward = np.nan if fails and self.how == "nan reward" else 0.0
        ends = fails and self.how == "nan at the end"
        return self._observe(), reward, False, ends, {}

    def _observe(self):
        good = np.ones(2, np.float32)
        if self.steps != self.fails_at:
            return good
        if self.how == "raises":
            raise OSError("the emulator is gone")
        return {
            "nan observation": good * np.nan,
            "nan at the end": good * np.nan,
            "wrong shape": np.ones(3, np.float32),
            "wrong type": good.astype(complex),
        }.get(self.how, good)


for _name, _env in (("Counter-v0", Counter), ("Naming-v0", Naming), ("Faulty-v0", Faulty)):
    gymnasium.register(_name, entry_point=partial(_env), disable_env_checker=True)
