"""Finished episodes, and averages over the last of them."""

from collections import deque
from collections.abc import Iterable
from statistics import fmean
from typing import Any, NamedTuple


class Episode(NamedTuple):
    """One finished episode."""

    actor: int
    episode_return: float
    length: int
    """Steps."""
    info: dict[str, float]
    """What the environment tells of it (`solved`, level parameters), where it tells."""


class EpisodeWindow:
    """The last episodes of a run: their returns, lengths, and which of them were solved.

    Args:
        size: episodes that are looked back at.
    """

    def __init__(self, size: int = 1000) -> None:
        self.returns: deque[float] = deque(maxlen=size)
        self.lengths: deque[int] = deque(maxlen=size)
        self.solved: deque[bool] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self.returns)

    def extend(self, episodes: Iterable[Episode]) -> None:
        """Note episodes in the order in which they ended."""
        for episode in episodes:
            self.returns.append(float(episode.episode_return))
            self.lengths.append(int(episode.length))
            if "solved" in episode.info:
                self.solved.append(episode.info["solved"] > 0)

    @property
    def mean_return(self) -> float | None:
        """Mean undiscounted return; None before the first episode."""
        return fmean(self.returns) if self.returns else None

    @property
    def mean_length(self) -> float | None:
        """Mean steps of an episode; None before the first."""
        return fmean(self.lengths) if self.lengths else None

    @property
    def solved_rate(self) -> float | None:
        """Share of solved episodes; None where the environment does not tell."""
        return fmean(self.solved) if self.solved else None

    def get_state(self) -> dict[str, Any]:
        """All of it, in values that a checkpoint takes."""
        return {
            "returns": list(self.returns),
            "lengths": list(self.lengths),
            "solved": list(self.solved),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` gave."""
        for name in ("returns", "lengths", "solved"):
            setattr(self, name, deque(state[name], maxlen=getattr(self, name).maxlen))
