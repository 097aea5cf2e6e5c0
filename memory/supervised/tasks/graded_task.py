"""Tasks with a length and a nesting, whose training follows a curriculum."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from numpy import ndarray
from numpy.random import Generator

from memory.supervised.batch import Batch
from memory.supervised.head import Answered
from memory.supervised.measure import AccuracyMetric, Measure
from memory.supervised.task import CHUNK, Task
from memory.supervised.tasks.curriculum import Curriculum, Level, fixed

Hardness = Callable[[Generator, int], Int[ndarray, "2 B"]]
"""Draws lengths and nestings."""

LEVEL_GROUP = 1
"""`Batch.groups` of sequences of the present level; sequences of full size have none."""


class GradedTask(Task):
    """A task that follows a curriculum; evaluated at its full size only."""

    noticed_metrics = ("level_accuracy",)
    held_out_sizes: ClassVar[Mapping[str, int]]
    """Sequences of the validation and of the test."""

    def __init__(self, curriculum: Curriculum) -> None:
        self.curriculum = curriculum

    @abstractmethod
    def draw(self, split: str, number: int, size: int, hardness: Hardness) -> Batch:
        """One batch of a set."""

    def batch(self, number: int, size: int) -> Batch:
        """A training batch of the difficulty that the curriculum draws."""
        return self.draw("train", number, size, self.curriculum.draw)

    def held_out(self, split: str) -> Iterator[Batch]:
        """Sequences of full size; in a validation also as many of the present level."""
        level, largest = self.curriculum.level, self.curriculum.largest
        chunks = self.held_out_sizes[split] // CHUNK
        for number in range(chunks):
            yield self.draw(split, number, CHUNK, lambda _, size: fixed(largest, size))
        if split != "validation" or level == largest:
            return
        for number in range(chunks, 2 * chunks):
            batch = self.draw(split, number, CHUNK, lambda _, size: fixed(level, size))
            yield batch._replace(groups=torch.full((CHUNK,), LEVEL_GROUP))

    def measures(self) -> list[Measure]:
        """Metrics at the full size, and at the present level if it is lower."""
        return [Graded(self.curriculum.level)]

    def notice(self, validation: Mapping[str, float]) -> bool:
        """Adapt the level. Returns whether it has risen."""
        return self.curriculum.notice(validation)

    def get_state(self) -> dict[str, Any]:
        """State of the curriculum."""
        return self.curriculum.get_state()

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `get_state`."""
        self.curriculum.set_state(state)


class Graded(Measure):
    """The usual metrics at the full size; then the accuracy at a level, and that level."""

    def __init__(self, level: Level) -> None:
        self.level, self.of_largest, self.of_level = level, AccuracyMetric(), AccuracyMetric()

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch of one difficulty."""
        (self.of_largest if batch.groups is None else self.of_level).add(batch, answered)

    def results(self) -> dict[str, float]:
        """Without the level if no batch was of it."""
        results = self.of_largest.results()
        if not self.of_level.answers:
            return results
        return results | {
            "level_accuracy": self.of_level.results()["accuracy"],
            "level_length": self.level.length,
            "level_nesting": self.level.nesting,
        }
