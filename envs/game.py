"""A batch of games held as arrays: what a game implements, and what all games share."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from gymnasium import spaces

from envs import random
from envs.checks import check_names
from envs.drawing import Mark, Region

Config = TypeVar("Config")


class Game(ABC, Generic[Config]):
    """A batch of games with compiled rules; `GameEnv` and `GameVectorEnv` step it.

    `mask` arguments are bool `[N]`: only the games where it is true are touched.

    Args:
        num_games: N.
        config: the settings, a frozen dataclass.
        shape: of the observation of one game, uint8 `[H, W, C]`.
        num_actions: of one game.
    """

    info_dtype: ClassVar[np.dtype]
    """The record that holds the info of one game."""
    level_options: ClassVar[tuple[str, ...]]
    """Fields of the configuration that a reset may change."""
    config: Config

    def __init__(
        self, num_games: int, config: Config, shape: tuple[int, ...], num_actions: int
    ) -> None:
        self.num_games = num_games
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Discrete(num_actions)
        self.streams = np.zeros(num_games, np.uint64)
        """The random stream of each game."""
        self._no_step = no_step(num_games)
        self.configure(config)

    @abstractmethod
    def configure(self, config: Config) -> None:
        """Use other level options from the next episode on; sets `self.config`."""

    @abstractmethod
    def begin(self, mask: np.ndarray) -> None:
        """Generate a level and start a new episode."""

    @abstractmethod
    def step(
        self,
        actions: np.ndarray,
        mask: np.ndarray,
        rewards: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        shown: np.ndarray,
        observations: np.ndarray,
        info: np.ndarray,
        /,
    ) -> int:
        """Advance the masked games by one step, and write what those in `shown` show. Never starts
        an episode.

        One call does all of it: a second call, and a second pass over the games, would cost as
        much as the rules do.

        Args:
            actions: int64 `[N]`.
            rewards, terminated, truncated: the caller's `[N]`; written where `mask` is true.
            shown: bool `[N]`.
            observations, info: as in `show`.

        Returns:
            How many games ended; -1, with nothing done, if an action is out of range.
        """

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that determine the future of the games, by name; not copies."""

    @abstractmethod
    def frame(self, index: int) -> np.ndarray:
        """The whole of one game as RGB `[rows * 16, columns * 16, 3]`."""

    @abstractmethod
    def view(self, index: int) -> np.ndarray:
        """What the agent of one game observes, as RGB with cells of 16 pixels."""

    @abstractmethod
    def text(self, index: int) -> str:
        """One game in characters."""

    def seen(self, index: int) -> Region | None:
        """The cells of the frame that the agent observes; None for all, or if it is unknown."""
        return None

    def marks(self, index: int) -> list[Mark]:
        """Characters that drawings show on the cells of the frame."""
        return []

    def seed(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        """Restart the random streams; seeds are uint64 `[N]`, one for each game."""
        random.start(self.streams, seeds, mask)

    def show(self, mask: np.ndarray, observations: np.ndarray, info: np.ndarray) -> None:
        """Write the observations and infos of the masked games.

        Args:
            observations: the caller's C-contiguous `[N, H, W, C]`.
            info: the caller's `[N]`, of the dtype `info_dtype`.
        """
        # A step in which no game moves: the drawing is then compiled only once.
        self.step(*self._no_step, mask, observations, info)

    def observe(self, out: np.ndarray, mask: np.ndarray) -> None:
        """Write only the observations of the masked games."""
        self.show(mask, out, np.empty(self.num_games, self.info_dtype))

    def observation(self, index: int) -> np.ndarray:
        """The observation of one game, `[H, W, C]`."""
        out = np.empty((self.num_games, *self.observation_space.shape), np.uint8)
        self.observe(out, np.arange(self.num_games) == index)
        return out[index]

    def info(self) -> dict[str, np.ndarray]:
        """The infos of all games: new `[N]` arrays by name."""
        info = np.empty(self.num_games, self.info_dtype)
        observations = np.empty((self.num_games, *self.observation_space.shape), np.uint8)
        self.show(np.ones(self.num_games, np.bool_), observations, info)
        return by_name(info)

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change level options from the next episode on.

        Raises:
            ValueError: an unknown option, or a value that is not allowed; names the option.
        """
        config: Any = self.config
        names = [field.name for field in dataclasses.fields(config)]
        fixed = [name for name in names if name not in self.level_options]
        check_names(options, self.level_options, fixed=fixed)
        self.configure(dataclasses.replace(config, **options))

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that determines the future, random streams and options included; copies."""
        state = {name: array.copy() for name, array in self.arrays().items()}
        state["streams"] = self.streams.copy()
        options = {f"options.{n}": np.array(getattr(self.config, n)) for n in self.level_options}
        return state | options

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `get_state` returned."""
        self.set_options({n: _plain(state[f"options.{n}"]) for n in self.level_options})
        self.streams[:] = state["streams"]
        for name, array in self.arrays().items():
            array[:] = state[name]


def by_name(records: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of records as arrays; they share memory with the records."""
    return {name: records[name] for name in records.dtype.names or ()}


def no_step(
    num_games: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Actions, mask, rewards and flags of a step in which no game moves."""
    return (
        np.zeros(num_games, np.int64),
        np.zeros(num_games, np.bool_),
        np.zeros(num_games),
        np.zeros(num_games, np.bool_),
        np.zeros(num_games, np.bool_),
    )


def _plain(value: np.ndarray) -> Any:
    """The scalar, or the tuple of numbers, in an array."""
    return tuple(value.tolist()) if value.ndim else value.item()
