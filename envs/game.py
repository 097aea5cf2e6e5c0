"""What a batch of games offers to the two Gymnasium faces."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces


class Game(Protocol):
    """A batch of games held as arrays, with compiled rules.

    `mask` arguments are bool `[N]`: only the games where it is true are touched.
    """

    num_games: int
    observation_space: spaces.Box
    """Of one game: uint8 `[H, W, C]`."""
    action_space: spaces.Discrete
    """Of one game."""
    told: np.dtype
    """A record of what a game tells of itself: the infos, by name."""

    def seed(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        """Restart the random streams; seeds are uint64 `[N]`, one for each game."""
        ...

    def begin(self, mask: np.ndarray) -> None:
        """Begin a new episode: generate the level."""
        ...

    def step(
        self,
        actions: np.ndarray,
        mask: np.ndarray,
        rewards: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        observations: np.ndarray,
        told: np.ndarray,
    ) -> int:
        """Advance the masked games one step, and show all games. Never begins an episode.

        One call for all of it: at this speed a second one, and a second pass over the games, cost
        as much as the rules do.

        Args:
            actions: int64 `[N]`.
            rewards, terminated, truncated: the caller's `[N]`; written where `mask` is true.
            observations, told: as in `show`.

        Returns:
            How many games ended; -1, with nothing done, where an action is out of range.
        """
        ...

    def show(self, mask: np.ndarray, observations: np.ndarray, told: np.ndarray) -> None:
        """Write what the games show and tell.

        Args:
            observations: the caller's C-contiguous `[N, H, W, C]`.
            told: the caller's `[N]`, of the dtype `Game.told`.
        """
        ...

    def observe(self, out: np.ndarray, mask: np.ndarray) -> None:
        """Write what the masked games show alone."""
        ...

    def info(self) -> dict[str, np.ndarray]:
        """What the games tell of themselves: fresh `[N]` arrays by name."""
        ...

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change level parameters from the next episode on.

        Raises:
            ValueError: an unknown option, or a value that does not fit; names the option.
        """
        ...

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that decides the future, random streams included; copies."""
        ...

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `get_state` gave."""
        ...

    def frame(self, index: int) -> np.ndarray:
        """The whole of one game as RGB `[rows * 16, columns * 16, 3]`."""
        ...

    def view(self, index: int) -> np.ndarray:
        """What the agent of one game observes, as RGB with cells of 16 pixels."""
        ...

    def text(self, index: int) -> str:
        """One game in characters."""
        ...


def by_name(told: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of records as arrays; they share their memory."""
    return {name: told[name] for name in told.dtype.names or ()}


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
