"""Which levels of an evaluation to show."""

from collections.abc import Sequence
from typing import Literal

from agents.evaluation.video.encoder import VideoError
from agents.impala.episodes import Episode

Pick = Literal["best", "worst", "first-failure"]
LEVELS = 100
"""Levels that are played to choose one."""


def choose(episodes: Sequence[Episode], pick: Pick) -> int:
    """The game of one of the episodes: of the highest or lowest return, or the first not solved.

    Raises:
        VideoError: there is no such episode.
    """
    if pick == "best":
        return max(episodes, key=lambda episode: episode.episode_return).actor
    if pick == "worst":
        return min(episodes, key=lambda episode: episode.episode_return).actor
    if not all("solved" in episode.info for episode in episodes):
        raise VideoError(
            "--first-failure needs an environment that reports `solved`; this one does not. "
            "Use --worst."
        )
    failures = [episode.actor for episode in episodes if not episode.info["solved"]]
    if not failures:
        raise VideoError(
            f"--first-failure: all {len(episodes)} levels are solved; try another --seed."
        )
    return failures[0]
