"""One game as a `gymnasium.Env`."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import error

from envs.game import Game
from envs.vector import check_render_mode, draw_seed, spread_seed


class GameEnv(gymnasium.Env):
    """One game: the compiled rules of `GameVectorEnv`, on a batch of one.

    A seed gives the same levels as in game 0 of a vector.

    Args:
        game: a batch of one game.
        render_mode: `"rgb_array"`, `"ansi"`, `"human"` (a window), or None.
    """

    metadata = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 8}  # noqa: RUF012

    def __init__(self, game: Game[Any], render_mode: str | None = None) -> None:
        if game.num_games != 1:
            raise ValueError(f"GameEnv takes a batch of one game; this one has {game.num_games}")
        self.game = game
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.observation_space = game.observation_space
        self.action_space = game.action_space
        self._num_actions = int(game.action_space.n)
        self._observations = np.zeros((1, *game.observation_space.shape), np.uint8)
        self._info = np.zeros(1, game.info_dtype)
        self._names = game.info_dtype.names or ()
        self._one = np.ones(1, np.bool_)
        self._action = np.zeros(1, np.int64)
        self._reward = np.zeros(1)
        self._terminated = np.zeros(1, np.bool_)
        self._truncated = np.zeros(1, np.bool_)
        self._seeded = False
        self._window = None

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; `options` are level options that hold from now on."""
        super().reset(seed=seed)
        if options:
            self.game.set_options(options)
        if seed is None and not self._seeded:
            seed = draw_seed(self.np_random)
        if seed is not None:
            self.game.seed(spread_seed(seed, 1), self._one)
            self._seeded = True
        self.game.begin(self._one)
        if self.render_mode == "human":
            self._show()
        self.game.show(self._one, self._observations, self._info)
        info = dict(zip(self._names, self._info.item(), strict=True))
        return self._observations[0].copy(), info

    def step(
        self, action: int | np.integer
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance the game by one step."""
        if not self._seeded:
            raise error.ResetNeeded("call reset() before step()")
        if not 0 <= action < self._num_actions:
            raise ValueError(f"action is {action}; allowed are 0..{self._num_actions - 1}")
        self._action[0] = action
        self.game.step(
            self._action,
            self._one,
            self._reward,
            self._terminated,
            self._truncated,
            self._one,
            self._observations,
            self._info,
        )
        if self.render_mode == "human":
            self._show()
        return (
            self._observations[0].copy(),
            self._reward.item(),
            self._terminated.item(),
            self._truncated.item(),
            dict(zip(self._names, self._info.item(), strict=True)),
        )

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change level options from the next episode on."""
        self.game.set_options(options)

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that determines the future, as arrays by name; copies."""
        return self.game.get_state() | {"seeded": np.array(self._seeded)}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Resume exactly where `get_state` was called."""
        self.game.set_state({name: value for name, value in state.items() if name != "seeded"})
        self._seeded = bool(state["seeded"])

    def render(self) -> np.ndarray | str | None:
        """The whole game, as a picture or in characters; None if a window shows it."""
        if self.render_mode == "rgb_array":
            return self.game.frame(0)
        return self.game.text(0) if self.render_mode == "ansi" else None

    def _show(self) -> None:
        if self._window is None:
            from envs.window import Window  # nothing else needs pygame

            self._window = Window(self.metadata["render_fps"])
        self._window.show(self.game.frame(0))

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_window": None}
