"""Episodes and counts of all learners, which the first one reports."""

from collections.abc import Iterable

import torch

from agents.impala.episodes import Episode, EpisodeWindow, from_rows, to_rows
from memory.group import Group


class Collector:
    """Collects the episodes and the counts of all learners in the first one.

    Args:
        episodes: of the first learner.
        dropped: trajectories that this learner dropped as too old so far.
        restarts: workers of this learner that were replaced so far.
    """

    def __init__(self, group: Group, episodes: EpisodeWindow, dropped: int, restarts: int) -> None:
        self.group, self.episodes = group, episodes
        self.dropped, self.restarts = dropped, restarts
        self._unsent: list[Episode] = []
        """Episodes that the first learner does not have yet."""

    def add(self, episodes: Iterable[Episode]) -> None:
        """Add episodes of this learner."""
        if self.group.rank == 0:
            self.episodes.extend(episodes)
        else:
            self._unsent += episodes

    def collect(self, dropped: int, restarts: int) -> None:
        """Exchange what is new; all learners call it with their own counts."""
        episodes = from_rows(self.group.gather_rows(to_rows(self._unsent)))
        counts = torch.tensor([[dropped, restarts]])
        self._unsent = []
        totals = self.group.gather_rows(counts).sum(dim=0)
        self.dropped, self.restarts = int(totals[0]), int(totals[1])
        if self.group.rank == 0:
            self.episodes.extend(episodes)
