"""An environment that goes wrong as it is asked to, `agents.faults.environments:Faulty-v0`."""

# pyright: reportUnknownMemberType=false

import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

_LEAK_BYTES = 100_000


class Faulty(gymnasium.Env[Any, Any]):
    """Episodes of 20 steps of two numbers; one step goes wrong.

    Args:
        how: `raises`, `hangs`, `leaks` (memory, in each step), `shape` or `nan`; `never` does not
            fail.
        at: the step, counted over all episodes, at which it goes wrong.
        seconds: that each step takes.
        marker: a file; once it exists no step goes wrong, and the first one that does creates it.
    """

    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(2)

    def __init__(
        self,
        how: str = "never",
        at: int = 100,
        seconds: float = 0.0,
        marker: str = "",
        render_mode: str | None = None,
    ) -> None:
        self.how, self.at, self.seconds, self.marker = how, at, seconds, marker
        self.total = self.steps = 0
        self.kept: list[bytes] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.total += 1
        self.steps += 1
        time.sleep(self.seconds)
        if self.how == "leaks":
            self.kept.append(bytes(_LEAK_BYTES))
        observation = self._observe()
        if self.total == self.at and self._fails():
            observation = self._fail(observation)
        return observation, float(action == 1), self.steps == 20, False, {}

    def _observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)

    def _fails(self) -> bool:
        if not self.marker:
            return True
        try:
            Path(self.marker).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _fail(self, observation: Any) -> Any:
        if self.how == "raises":
            raise OSError("the emulator is gone")
        while self.how == "hangs":
            time.sleep(1)
        return {"shape": np.ones(3, np.float32), "nan": observation * np.nan}.get(
            self.how, observation
        )


gymnasium.register("Faulty-v0", lambda **options: Faulty(**options), disable_env_checker=True)
