"""The queue of trajectories between the actors and the learner, oldest first."""

from collections import deque

from agents.impala.config import ImpalaConfig
from agents.impala.trajectory import Trajectory, join, take


class TrajectoryQueue:
    """Holds blocks of any number of trajectories; returns batches of an exact number."""

    def __init__(self) -> None:
        self._blocks: deque[Trajectory] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return sum(len(block.version) for block in self._blocks)

    def put(self, block: Trajectory) -> None:
        """Append the trajectories of a block."""
        self._blocks.append(block)

    def drop_older(self, version: int) -> None:
        """Drop the blocks whose weights are older than `version`; counted in `dropped`."""
        before = len(self)
        # Not from the front only: a block of a slow worker is queued behind newer ones.
        self._blocks = deque(b for b in self._blocks if int(b.version[0]) >= version)
        self.dropped += before - len(self)

    def take(self, count: int) -> Trajectory:
        """Remove the `count` oldest trajectories and return them as one batch.

        The queue must hold at least `count`.
        """
        parts: list[Trajectory] = []
        while count:
            block = self._blocks.popleft()
            size = len(block.version)
            parts.append(take(block, 0, min(count, size)))
            if size > count:
                self._blocks.appendleft(take(block, count, size - count))
            count -= min(count, size)
        return join(parts)

    def blocks(self) -> list[Trajectory]:
        """The queued blocks, oldest first."""
        return list(self._blocks)


def max_queued(config: ImpalaConfig, processes: int) -> int:
    """Upper limit of the trajectories that are queued or in flight.

    It covers a batch, one unroll of every actor and one more of the largest worker, so that a
    worker can start its next unroll as soon as it has delivered one; but no more than can be
    learned from before they exceed `max_lag`.
    """
    largest_group = -(-config.actors // processes)
    within_lag = config.batch * config.max_lag
    least = config.actors + 2 * config.batch
    return max(least, min(config.batch + config.actors + largest_group, within_lag))
