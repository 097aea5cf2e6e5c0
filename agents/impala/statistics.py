"""Averages over episodes, with intervals."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from statistics import NormalDist, fmean, stdev
from typing import Any

from agents.rollout import Episode

_Z = NormalDist().inv_cdf(0.975)  # half-width of a 95 % interval in standard deviations


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


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a success rate, good for few trials and for rates near 0 or 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials: expected from 0 to {n}.")
    if n == 0:
        return 0.0, 1.0
    rate, weight = successes / n, _Z**2 / n
    centre = (rate + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(rate * (1 - rate) / n + weight / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean by the normal approximation, for thirty values or more."""
    if len(values) < 2:
        return -math.inf, math.inf
    mean, half = fmean(values), _Z * stdev(values) / math.sqrt(len(values))
    return mean - half, mean + half
