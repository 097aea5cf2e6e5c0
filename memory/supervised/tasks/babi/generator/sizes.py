"""Task 18: sizes of two things, compared by way of a third."""

from collections.abc import Sequence
from typing import NamedTuple

from numpy.random import Generator

from memory.supervised.tasks.babi.generator.rounds import QUESTIONS
from memory.supervised.tasks.babi.generator.story import Question, Story, pick, shuffled

SMALL = ("chocolate", "box of chocolates")
"""Things smaller than all others, the smallest first."""
LARGE = ("box", "chest", "container", "suitcase")
TOLD = 5
"""Number of facts at the start."""
TRIES = 50
"""Attempts to find a question before another fact is added."""
LAST = 0.6
"""Probability that a repeated fact is taken at its last occurrence."""


class Fact(NamedTuple):
    """One thing is larger than another."""

    large: str
    small: str
    line: int

    def ends(self) -> tuple[str, str]:
        """Both things."""
        return self.large, self.small


def size_reasoning(random: Generator) -> Story:
    """Does the box fit in the suitcase? Facts are added, some twice, until the answer follows."""
    story = Story()
    things = (*SMALL, *shuffled(random, LARGE))
    history: list[Fact] = []
    while True:
        for _ in range(TOLD):
            small, large = sorted(shuffled(random, things)[:2], key=things.index)
            history.append(Fact(large, small, story.add(_sentence(random, large, small))))
        for _ in range(QUESTIONS):
            found = (_question(random, history) for _ in range(TRIES))
            question = next((question for question in found if question), None)
            if question is None:
                break
            story.ask(question)
        else:
            return story


def _sentence(random: Generator, large: str, small: str) -> str:
    if random.random() < 0.5:
        return f"The {small} fits inside the {large}."
    return f"The {large} is bigger than the {small}."


def _question(random: Generator, history: Sequence[Fact]) -> Question | None:
    """Try to make a question about an end of a random fact and a thing two steps away.

    The first other fact about the middle thing must continue in the same direction, to smaller or
    to larger; no other fact is tried.
    """
    one = pick(random, history)
    if random.random() < LAST:
        one = next(fact for fact in reversed(history) if fact.ends() == one.ends())
    down = random.random() < 0.5
    start, middle = one.ends() if down else one.ends()[::-1]
    other = next((fact for fact in history if middle in fact.ends() and fact is not one), None)
    if other is None or middle != (other.large if down else other.small):
        return None
    end = other.small if down else other.large
    if random.random() < 0.5:
        words = f"Does the {end} fit in the {start}?"
    else:
        words = f"Is the {start} bigger than the {end}?"
    return Question(words, "yes" if down else "no", (one.line, other.line))
