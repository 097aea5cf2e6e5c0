"""Training batches in order; the next ones are made in a background thread."""

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from memory.supervised.batch import Batch
from memory.supervised.task import Task

AHEAD = 2
"""Most batches that are made in advance."""


class Prefetcher:
    """Makes the batches of a task in advance.

    Args:
        size: sequences of a batch.
    """

    def __init__(self, task: Task, size: int) -> None:
        self.task, self.size = task, size
        self.seconds_waited = 0.0
        """Time spent waiting for batches."""
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._made: deque[tuple[int, Future[Batch]]] = deque()

    def take(self, number: int) -> Batch:
        """The batch with a number; starts to make the ones after it."""
        begun = time.perf_counter()
        if self._made and self._made[0][0] != number:
            self.forget()
        next_number = self._made[-1][0] + 1 if self._made else number
        for later in range(next_number, number + 1 + AHEAD):
            self._made.append((later, self._maker.submit(self.task.batch, later, self.size)))
        batch = self._made.popleft()[1].result()
        self.seconds_waited += time.perf_counter() - begun
        return batch

    def forget(self) -> None:
        """Discard the batches made in advance, after the task has changed."""
        for _, batch in self._made:
            if not batch.cancel():
                batch.exception()  # wait: a task is used by one thread at a time
        self._made.clear()
