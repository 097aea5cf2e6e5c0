"""The file format of the bAbI tasks: numbered sentences, and questions with their answers.

Source: Weston et al., "Towards AI-complete question answering" (2015). A line is `ID sentence`, or
`ID question<TAB>answer<TAB>IDs of the facts that support it`; ID 1 starts a story. The sentences
before a question in its story, without other questions, are its context. An answer of several
words, joined by commas, is one answer.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from memory.supervised.data.text_file import MalformedData, read_text

Sentence = tuple[str, ...]


class Question(NamedTuple):
    """A question, and the facts before it."""

    facts: tuple[Sentence, ...]
    words: Sentence
    answer: str


def read_stories(file: Path) -> list[Question]:
    """Every question of a file, in order.

    Raises:
        MalformedData: a line has the wrong format, or the file ends within a line.
    """
    *lines, rest = read_text(file).split("\n")
    if rest:
        raise MalformedData(f"{file} ends within line {len(lines) + 1}: it was cut short.")
    return questions_of(str(file), lines)


def questions_of(name: str, lines: list[str]) -> list[Question]:
    """Every question of some lines, in order.

    Args:
        name: name of their file.

    Raises:
        MalformedData: a line has the wrong format.
    """
    questions = list(_questions(name, lines))
    if not questions:
        raise MalformedData(f"{name} has no question.")
    return questions


def _questions(name: str, lines: list[str]) -> Iterator[Question]:
    facts: list[Sentence] = []
    last = 0
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(r"(\d+) ([^\t]+)(?:\t([^\t]+)\t([\d ]*))?", line)
        if not match or int(match[1]) not in (1, last + 1):
            raise MalformedData(f"{name}, line {number}: not a sentence or question: {line[:60]!r}")
        last = int(match[1])
        if last == 1:
            facts = []
        words = words_of(match[2])
        if match[3] is None:
            facts.append(words)
        else:
            answer = match[3].strip().lower()
            if not answer:
                raise MalformedData(f"{name}, line {number}: a question without an answer.")
            yield Question(tuple(facts), words, answer)


@lru_cache(maxsize=10_000)
def words_of(sentence: str) -> Sentence:
    """Words in lower case, without the mark at the end."""
    return tuple(re.findall(r"[\w'-]+", sentence.lower()))
