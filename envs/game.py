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
    ) -> None:
        """Advance one step, writing into the caller's `[N]` arrays. Never begins an episode."""
        ...

    def observe(self, out: np.ndarray, mask: np.ndarray) -> None:
        """Write observations into the caller's `[N, H, W, C]` array."""
        ...

    def info(self) -> dict[str, np.ndarray]:
        """What the games would tell about themselves: fresh `[N]` arrays by name."""
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
