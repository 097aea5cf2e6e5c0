"""Stories read back from their lines, with the supporting facts that a learner is not shown."""

import re
from collections.abc import Iterable
from typing import NamedTuple


class Line(NamedTuple):
    """A fact; or a question, with its answer."""

    number: int
    text: str
    answer: str | None = None
    supports: tuple[int, ...] = ()


def stories_of(lines: Iterable[str]) -> list[list[Line]]:
    """Lines by story."""
    stories: list[list[Line]] = []
    for line in lines:
        match = re.fullmatch(r"(\d+) ([^\t]+)(?:\t([^\t ]+)\t(\d+(?: \d+)*))?", line)
        assert match, f"not a sentence or question: {line!r}"
        if match[1] == "1":
            stories.append([])
        supports = tuple(map(int, match[4].split())) if match[4] else ()
        stories[-1].append(Line(int(match[1]), match[2], match[3], supports))
    return stories


def asked(story: list[Line]) -> list[tuple[list[Line], Line]]:
    """Every question of a story, with the facts before it."""
    return [
        ([fact for fact in story[:place] if fact.answer is None], line)
        for place, line in enumerate(story)
        if line.answer is not None
    ]


def words(form: str, sentence: str) -> tuple[str, ...]:
    """The words that a sentence of this form has in the places left open."""
    match = re.fullmatch(form, sentence)
    assert match, f"not {form!r}: {sentence!r}"
    return match.groups()
