"""Scores of an evaluation with intervals, overall and by level."""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import Any, NamedTuple

from agents.evaluation.intervals import mean_interval, wilson_interval
from agents.impala.episodes import Episode

Interval = tuple[float, float]
Level = tuple[float, ...]
"""Values of some of the level parameters that an environment reports."""


class Score(NamedTuple):
    """The averages of some episodes, with 95 % intervals."""

    episodes: int
    mean_return: float
    return_interval: Interval
    mean_length: float
    """Steps."""
    solved_rate: float | None
    """None if the environment does not report it."""
    solved_interval: Interval | None
    out_of_time: float
    """Share of the episodes that were truncated. The others were solved or ended in another way, in
    BoxWorld by opening a wrong box."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values; the infinite interval of a single episode is null."""
        low, high = (x if math.isfinite(x) else None for x in self.return_interval)
        solved = None
        if self.solved_rate is not None and self.solved_interval is not None:
            bounds = dict(zip(("low", "high"), self.solved_interval, strict=True))
            solved = {"rate": self.solved_rate, **bounds}
        return {
            "episodes": self.episodes,
            "return": {"mean": self.mean_return, "low": low, "high": high},
            "length": {"mean": self.mean_length},
            "solved": solved,
            "out_of_time": self.out_of_time,
        }


def score(episodes: Sequence[Episode], out_of_time: Sequence[bool]) -> Score:
    """Average at least one episode."""
    returns = [episode.episode_return for episode in episodes]
    solved = [episode.info["solved"] > 0 for episode in episodes if "solved" in episode.info]
    return Score(
        len(episodes),
        fmean(returns),
        mean_interval(returns),
        fmean(episode.length for episode in episodes),
        fmean(solved) if solved else None,
        wilson_interval(sum(solved), len(solved)) if solved else None,
        fmean(out_of_time),
    )


class Evaluation(NamedTuple):
    """The episodes of an evaluation, with its settings."""

    episodes: list[Episode]
    """Ordered by actor, then by time."""
    out_of_time: list[bool]
    """Which of the episodes were truncated."""
    report: tuple[str, ...]
    """Level parameters of the breakdown."""
    seed: int
    greedy: bool
    max_steps: int | None = None
    """The step limit of an environment that has none; None if it has its own."""

    @property
    def score(self) -> Score:
        """The score of all episodes."""
        return score(self.episodes, self.out_of_time)

    @property
    def num_limited(self) -> int:
        """Number of episodes that were truncated at `max_steps`."""
        return sum(episode.length == self.max_steps for episode in self.episodes)

    def breakdowns(self) -> list[tuple[str, ...]]:
        """Keys of the breakdowns: each level parameter, then each pair."""
        return [keys for size in (1, 2) for keys in combinations(self.report, size)]

    def by(self, keys: tuple[str, ...]) -> dict[Level, Score]:
        """The score by values of the keys, sorted."""
        groups: defaultdict[Level, list[tuple[Episode, bool]]] = defaultdict(list)
        for episode, late in zip(self.episodes, self.out_of_time, strict=True):
            groups[tuple(episode.info[key] for key in keys)].append((episode, late))
        return {level: score(*zip(*groups[level], strict=True)) for level in sorted(groups)}

    def as_dict(self) -> dict[str, Any]:
        """All scores and episodes as JSON values."""
        return {
            "seed": self.seed,
            "greedy": self.greedy,
            "max_steps": self.max_steps,
            **self.score.as_dict(),
            "breakdown": {" x ".join(keys): self._rows(keys) for keys in self.breakdowns()},
            "results": [
                _result(episode, late)
                for episode, late in zip(self.episodes, self.out_of_time, strict=True)
            ],
        }

    def _rows(self, keys: tuple[str, ...]) -> list[dict[str, Any]]:
        return [
            {**dict(zip(keys, map(tidy, level), strict=True)), **part.as_dict()}
            for level, part in self.by(keys).items()
        ]


def _result(episode: Episode, late: bool) -> dict[str, Any]:
    numbers = {name: tidy(value) for name, value in episode.info.items()}
    ended = {"length": episode.length, "out_of_time": late}
    return {"return": episode.episode_return, **ended, **numbers}


def tidy(value: float) -> float | int:
    """An integral value as an int."""
    return int(value) if float(value).is_integer() else value
