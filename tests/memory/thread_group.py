"""A group of threads of one process, with the collectives of processes: starts at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

from memory.group import Group

Result = TypeVar("Result")


class ThreadGroup(Group):
    """One thread of a group.

    Args:
        slots: what each thread gives in a collective, shared by all.
    """

    def __init__(self, rank: int, barrier: threading.Barrier, slots: list[Any]) -> None:
        self.rank, self.size = rank, len(slots)
        self._barrier, self._slots = barrier, slots

    def broadcast(self, values: Sequence[float]) -> list[float]:
        return self._exchange(list(values))[0]

    def largest(self, values: Sequence[float]) -> list[float]:
        return [max(each) for each in zip(*self._exchange(list(values)), strict=True)]

    def all_reduce(self, tensors: Sequence[Tensor], weight: float) -> None:
        given = self._exchange([tensor.detach() * weight for tensor in tensors])
        for tensor, each in zip(tensors, zip(*given, strict=True), strict=True):
            tensor.copy_(torch.stack(each).sum(dim=0))

    def gather_rows(self, rows: Tensor) -> Tensor:
        return torch.cat(self._exchange(rows))

    def _exchange(self, value: Any) -> list[Any]:
        """What all threads give."""
        self._slots[self.rank] = value
        self._barrier.wait(60)
        every = list(self._slots)
        self._barrier.wait(60)
        return every


def together(work: Callable[[ThreadGroup], Result], size: int = 2) -> list[Result]:
    """Call a function in threads, each with its group; returns the results by rank."""
    barrier, slots = threading.Barrier(size), [None] * size

    def run(rank: int) -> Result:
        try:
            return work(ThreadGroup(rank, barrier, slots))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))
