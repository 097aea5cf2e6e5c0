"""How far apart the stories of two files are, by what can be counted in them."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable

from tests.memory.supervised.tasks.babi.generator.lines import Line, asked

Counts = Counter[Hashable]


def vocabulary(stories: Iterable[list[Line]]) -> set[str]:
    """Every word with the mark after it, and every word of an answer."""
    lines = [line for story in stories for line in story]
    words = {word for line in lines for word in line.text.split()}
    return words | {word for line in lines for word in (line.answer or "").split(",")}


def counts(stories: Iterable[list[Line]]) -> dict[str, Counts]:
    """What can be counted, by its name."""
    counted: dict[str, Counts] = {}

    def count(name: str, value: Hashable) -> None:
        counted.setdefault(name, Counter())[value] += 1

    for story in stories:
        count("lines of a story", len(story))
        questions = asked(story)
        count("questions of a story", len(questions))
        for line in story:
            if line.answer is None:
                count("facts", line.text)
        for place, (facts, question) in enumerate(questions):
            numbers = [fact.number for fact in facts]
            ages = tuple(len(numbers) - numbers.index(n) for n in question.supports)
            count("answers", question.answer)
            count("questions", question.text)
            count("lines before a question", question.number)
            count("age of the first supporting fact", ages[0])
            count("supporting facts", len(ages))
            if place:
                count("same answer as before", question.answer == questions[place - 1][1].answer)
    return counted


def total_variation(one: Counts, other: Counts) -> float:
    """Half the sum of the differences of all shares, from 0 to 1."""
    shares = [one[value] / one.total() - other[value] / other.total() for value in {*one, *other}]
    return sum(map(abs, shares)) / 2


def by_chance(one: Counts, other: Counts) -> float:
    """The total variation to be expected between two draws of one distribution."""
    both = one + other
    shares = [n / both.total() for n in both.values()]
    of_one = sum(math.sqrt(p * (1 - p)) for p in shares)
    return of_one * math.sqrt((1 / one.total() + 1 / other.total()) / (2 * math.pi))
