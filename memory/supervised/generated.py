"""Tasks whose sequences are drawn at random: training never sees one twice."""

from abc import abstractmethod
from collections.abc import Iterator

import torch

from memory.supervised.task import Batch, Split, Task, random_source

HELD_OUT = 3200
"""Sequences of the validation, and of the test."""


class GeneratedTask(Task):
    """A task that draws its sequences; the test is a fixed draw of its own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @abstractmethod
    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Sequences, all at once."""

    def batch(self, number: int, size: int) -> Batch:
        """A training batch."""
        return self._draw("train", number, size)

    def held_out(self, split: Split, size: int) -> Iterator[Batch]:
        """3200 sequences, or a few more where the size of a batch does not divide them."""
        for number in range(-(-HELD_OUT // size)):
            yield self._draw(split, number, size)

    def _draw(self, split: Split, number: int, size: int) -> Batch:
        (state,) = random_source(self.seed, split, number).generate_state(1)
        return self.draw(size, torch.Generator().manual_seed(int(state)))
