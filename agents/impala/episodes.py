"""Finished episodes, and averages over the most recent ones."""

from collections import deque
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor


class Episode(NamedTuple):
    """One finished episode."""

    actor: int
    episode_return: float
    length: int
    """Steps."""
    info: dict[str, float]
    """Values that the environment reports of it, such as `solved` or level parameters."""


def to_rows(episodes: Sequence[Episode]) -> Float[Tensor, "N 4"]:
    """Episodes as numbers, for another process: actor, return, length, and solved or -1."""
    rows = [(e.actor, e.episode_return, e.length, e.info.get("solved", -1.0)) for e in episodes]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)


def from_rows(rows: Float[Tensor, "N 4"]) -> list[Episode]:
    """The episodes of `to_rows`, with no other info than `solved`."""
    numbers = cast("list[list[float]]", rows.tolist())  # pyright: ignore[reportUnknownMemberType]
    return [
        Episode(int(actor), episode_return, int(length), {"solved": solved} if solved >= 0 else {})
        for actor, episode_return, length, solved in numbers
    ]


class EpisodeWindow:
    """The most recent episodes of a run: their returns, their lengths, and which were solved.

    Args:
        size: number of episodes to keep.
    """

    def __init__(self, size: int = 1000) -> None:
        self.returns: deque[float] = deque(maxlen=size)
        self.lengths: deque[int] = deque(maxlen=size)
        self.solved: deque[bool] = deque(maxlen=size)
        self._ignored: set[int] = set()

    def __len__(self) -> int:
        return len(self.returns)

    def extend(self, episodes: Iterable[Episode]) -> None:
        """Add episodes in the order in which they ended."""
        for episode in episodes:
            if episode.actor in self._ignored:
                self._ignored.remove(episode.actor)
                continue
            self.returns.append(float(episode.episode_return))
            self.lengths.append(int(episode.length))
            if "solved" in episode.info:
                self.solved.append(episode.info["solved"] > 0)

    def restart(self, ignored: Iterable[int]) -> None:
        """Drop all episodes, as the levels have changed.

        Args:
            ignored: actors whose current episode, on a level from before, does not count.
        """
        for values in (self.returns, self.lengths, self.solved):
            values.clear()
        self._ignored = set(ignored)

    @property
    def mean_return(self) -> float | None:
        """Mean undiscounted return; None before the first episode."""
        return fmean(self.returns) if self.returns else None

    @property
    def mean_length(self) -> float | None:
        """Mean number of steps; None before the first episode."""
        return fmean(self.lengths) if self.lengths else None

    @property
    def solved_rate(self) -> float | None:
        """Share of solved episodes; None if the environment does not report it."""
        return fmean(self.solved) if self.solved else None

    def metrics(self) -> dict[str, float]:
        """The averages that are known."""
        averages = {
            "episodes/return": self.mean_return,
            "episodes/length": self.mean_length,
            "episodes/solved": self.solved_rate,
        }
        return {name: value for name, value in averages.items() if value is not None}

    def get_state(self) -> dict[str, Any]:
        """All episodes, in values that a checkpoint can hold."""
        return {
            "returns": list(self.returns),
            "lengths": list(self.lengths),
            "solved": list(self.solved),
            "ignored": sorted(self._ignored),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `get_state`."""
        for name in ("returns", "lengths", "solved"):
            setattr(self, name, deque(state[name], maxlen=getattr(self, name).maxlen))
        self._ignored = set(state.get("ignored", ()))
