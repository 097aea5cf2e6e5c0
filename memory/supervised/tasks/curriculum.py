"""Curricula over the difficulty of sequences: their length and their nesting.

Sources: Zaremba and Sutskever, "Learning to execute" (2014), section 3.3; the generator of Santoro
et al., "Relational recurrent neural networks" (2018).

* `mix`: both drawn from 1 to the largest;
* `largest`: both the largest ("baseline");
* `naive`: those of a level that rises, first in length and then in nesting;
* `combine`: both drawn from 1 to those of the level ("Combine" in DeepMind's generator);
* `combined`: those of the level in 4 of 5 cases, else as in `mix` ("combined" in the first paper).

The level rises when the accuracy at it reaches 95 % in a validation, or has not improved for five.

Differs from the sources: the first goes back to length 1 with each rise in nesting, the second
raises its level by a change of the loss; there too it begins at length and nesting 1.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from numpy.random import Generator

CurriculumName = Literal["mix", "largest", "naive", "combine", "combined"]

PATIENCE = 5
"""Validations without an improvement after which the level rises."""


class Level(NamedTuple):
    """Difficulty of a sequence."""

    length: int
    nesting: int


class Curriculum:
    """Draws the difficulty of sequences; some curricula raise it during training.

    Args:
        mastered: the accuracy at which a level rises.
    """

    def __init__(self, name: CurriculumName, largest: Level, mastered: float = 0.95) -> None:
        self.name, self.largest, self.mastered = name, largest, mastered
        self.level = Level(1, 1) if name in ("naive", "combine", "combined") else largest
        self.best, self.stalled = 0.0, 0

    def draw(self, random: Generator, size: int) -> Int[ndarray, "2 B"]:
        """Lengths and nestings to train with."""
        if self.name in ("mix", "combine"):
            return _up_to(self.level, random, size)
        level = fixed(self.level, size)
        if self.name != "combined":
            return level
        mixed = random.integers(5, size=size) == 0
        return np.where(mixed, _up_to(self.largest, random, size), level)

    def notice(self, validation: Mapping[str, float]) -> bool:
        """Adapt the level to a validation. Returns whether it has risen."""
        if self.level == self.largest:
            return False
        accuracy = validation["level_accuracy"]
        is_better = accuracy > self.best
        self.best, self.stalled = max(accuracy, self.best), 0 if is_better else self.stalled + 1
        if accuracy < self.mastered and self.stalled < PATIENCE:
            return False
        length, nesting = self.level
        is_long = length == self.largest.length
        self.level = Level(length, nesting + 1) if is_long else Level(length + 1, nesting)
        self.best, self.stalled = 0.0, 0
        return True

    def get_state(self) -> dict[str, Any]:
        """The state that `notice` changes."""
        return {"level": list(self.level), "best": self.best, "stalled": self.stalled}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `get_state`."""
        self.level = Level(*state["level"])
        self.best, self.stalled = state["best"], state["stalled"]


def fixed(level: Level, size: int) -> Int[ndarray, "2 B"]:
    """The same length and nesting for all."""
    return np.repeat(np.array(level)[:, None], size, axis=1)


def _up_to(level: Level, random: Generator, size: int) -> Int[ndarray, "2 B"]:
    return random.integers(1, np.array(level)[:, None] + 1, (2, size))
