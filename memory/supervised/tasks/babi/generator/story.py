"""A story of numbered lines, and random choices.

Lines are those of the published files: `ID sentence`, or `ID question<TAB>answer<TAB>IDs of the
facts that support it`.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from numpy.random import Generator

Item = TypeVar("Item")


class Question(NamedTuple):
    """A question, its answer, and the supporting lines in the published order."""

    words: str
    answer: str
    supports: tuple[int, ...]


class Story:
    """Lines so far; IDs begin at 1."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.questions = 0

    def add(self, sentence: str) -> int:
        """Add a fact. Returns its ID."""
        self.lines.append(f"{len(self.lines) + 1} {sentence}")
        return len(self.lines)

    def ask(self, question: Question) -> None:
        """Add a question."""
        supports = " ".join(map(str, question.supports))
        self.add(f"{question.words}\t{question.answer}\t{supports}")
        self.questions += 1


def pick(random: Generator, items: Sequence[Item]) -> Item:
    """A random item, uniformly; several times as fast as `Generator.choice`."""
    return items[int(random.random() * len(items))]


def pick_other(random: Generator, items: Iterable[Item], than: Item) -> Item:
    """A random item other than `than`."""
    return pick(random, [item for item in items if item != than])


def shuffled(random: Generator, items: Iterable[Item]) -> list[Item]:
    """The items in random order."""
    left = list(items)
    return [left.pop(int(random.random() * len(left))) for _ in range(len(left))]


def cycled(random: Generator, items: Iterable[Item]) -> list[Item]:
    """A random cyclic permutation of the items; none keeps its place (Sattolo 1986)."""
    mixed = list(items)
    for last in range(len(mixed) - 1, 0, -1):
        other = int(random.random() * last)
        mixed[last], mixed[other] = mixed[other], mixed[last]
    return mixed
