"""Tasks whose sequences are drawn at random, with independent draws for training and test.

If few sequences are possible, such as a few symbols to recall, training contains those of the test
too: such a task measures memory, not generalisation.
"""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from numpy.random import SeedSequence

from memory.supervised.batch import Batch
from memory.supervised.task import CHUNK, Task, random_source

HELD_OUT = 3200
"""Sequences of the validation, and of the test."""


class GeneratedTask(Task):
    """A task that draws its sequences; the held-out sets are fixed draws."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @abstractmethod
    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Draw a batch of sequences."""

    def batch(self, number: int, size: int) -> Batch:
        """A training batch."""
        return self.draw(size, self.random("train", number))

    def held_out(self, split: str) -> Iterator[Batch]:
        """3200 sequences."""
        for number in range(HELD_OUT // CHUNK):
            yield self.draw(CHUNK, self.random(split, number))

    def random(self, split: str, number: int) -> torch.Generator:
        """The random numbers of one batch."""
        return torch_generator(random_source(self.seed, split, number))


def torch_generator(source: SeedSequence) -> torch.Generator:
    """PyTorch's random numbers from a source."""
    (state,) = source.generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
