"""Trajectories that wait for the learner, oldest first."""

from collections import deque

from agents.impala.trajectory import Trajectory, join, take


class TrajectoryQueue:
    """Takes blocks of any number of trajectories and gives batches of exactly as many as asked."""

    def __init__(self) -> None:
        self._blocks: deque[Trajectory] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return sum(len(block.version) for block in self._blocks)

    def put(self, block: Trajectory) -> None:
        """Append the trajectories of a block."""
        self._blocks.append(block)

    def drop_older(self, version: int) -> None:
        """Drop the blocks that acted with weights older than `version`; counted in `dropped`."""
        before = len(self)
        # Not from the front only: a slow worker's block waits behind newer ones.
        self._blocks = deque(b for b in self._blocks if int(b.version[0]) >= version)
        self.dropped += before - len(self)

    def take(self, count: int) -> Trajectory:
        """The `count` oldest trajectories as one batch; there must be as many."""
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
        """What waits, oldest first."""
        return list(self._blocks)
