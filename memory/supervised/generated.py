"""Tasks whose sequences are drawn at random: training never sees one twice."""

from abc import abstractmethod
from collections.abc import Iterator

import torch

from memory.supervised.task import TEST, TRAIN, Batch, Task, generator

TEST_SEQUENCES = 3200


class GeneratedTask(Task):
    """A task that draws its sequences; the test is a fixed draw of its own."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @abstractmethod
    def draw(self, size: int, random: torch.Generator) -> Batch:
        """Sequences, all at once."""

    def batch(self, number: int, size: int) -> Batch:
        """A training batch."""
        return self.draw(size, generator(self.seed, TRAIN, number))

    def test_batches(self, size: int) -> Iterator[Batch]:
        """3200 sequences, or a few more where the size of a batch does not divide them."""
        for number in range(-(-TEST_SEQUENCES // size)):
            yield self.draw(size, generator(self.seed, TEST, number))
