"""Tasks that are drawn at a length and a nesting, and whose training follows a curriculum."""

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
"""`Batch.groups` of sequences of the present level; those of the largest kind belong to none."""


class GradedTask(Task):
    """A task that grows harder where its curriculum does; judged by the largest kind alone."""

    noticed_metrics = ("level_accuracy",)
    held_out_sizes: ClassVar[Mapping[str, int]]
    """Sequences of the validation and of the test."""

    def __init__(self, curriculum: Curriculum) -> None:
        self.curriculum = curriculum

    @abstractmethod
    def draw(self, split: str, number: int, size: int, hardness: Hardness) -> Batch:
        """One batch of a set."""

    def batch(self, number: int, size: int) -> Batch:
        """A training batch, as hard as the curriculum has it."""
        return self.draw("train", number, size, self.curriculum.draw)

    def held_out(self, split: str) -> Iterator[Batch]:
        """Those of the largest kind; in a validation, as many of the present level besides."""
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
        """Of the largest kind, and of those of the present level where there are."""
        return [Graded(self.curriculum.level)]

    def notice(self, validation: Mapping[str, float]) -> bool:
        """Whether batches are harder from now on."""
        return self.curriculum.notice(validation)

    def get_state(self) -> dict[str, Any]:
        """How hard they are."""
        return self.curriculum.get_state()

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` gave."""
        self.curriculum.set_state(state)


class Graded(Measure):
    """The usual of the largest kind; then the accuracy at a level, and that level."""

    def __init__(self, level: Level) -> None:
        self.level, self.of_largest, self.of_level = level, AccuracyMetric(), AccuracyMetric()

    def add(self, batch: Batch, answered: Answered) -> None:
        """Take in the answers to a batch, all of one kind."""
        (self.of_largest if batch.groups is None else self.of_level).add(batch, answered)

    def results(self) -> dict[str, float]:
        """Nothing of the level where it was not asked for."""
        results = self.of_largest.results()
        if not self.of_level.answers:
            return results
        return results | {
            "level_accuracy": self.of_level.results()["accuracy"],
            "level_length": self.level.length,
            "level_nesting": self.level.nesting,
        }
