"""The file format of the bAbI tasks: numbered sentences, and questions with their answers.

Source: Weston et al., "Towards AI-complete question answering" (2015). A line is `ID sentence`, or
`ID question<TAB>answer<TAB>IDs of the facts that support it`; ID 1 starts a story. The sentences
before a question in its story, without other questions, are its context. An answer of several
words, joined by commas, is one answer.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from memory.supervised.data.text_file import MOST_WORDS, MalformedData, read_text
from memory.supervised.data.words import marks

Sentence = tuple[str, ...]


class Question(NamedTuple):
    """A question about a story, which it shares with the story's other questions."""

    story: Sequence[Sentence]
    asked_after: int
    """Sentences of the story before the question."""
    words: Sentence
    answer: str

    def facts(self, most: int) -> Sequence[Sentence]:
        """The last sentences before the question, at most so many."""
        return self.story[max(0, self.asked_after - most) : self.asked_after]


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
        match = re.fullmatch(r"([0-9]{1,9}) ([^\t]+)(?:\t([^\t]+)\t([0-9 ]*))?", line)
        if not match or int(match[1]) not in (1, last + 1):
            raise MalformedData(f"{name}, line {number}: not a sentence or question: {line[:60]!r}")
        last = int(match[1])
        if last == 1:
            facts = []
        words = words_of(match[2])
        if not 1 <= len(words) <= MOST_WORDS:
            raise MalformedData(
                f"{name}, line {number}: {len(words):,} words, expected 1 to {MOST_WORDS:,}."
            )
        if match[3] is None:
            facts.append(words)
        else:
            answer = match[3].strip().lower()
            if not answer:
                raise MalformedData(f"{name}, line {number}: a question without an answer.")
            if any(len(fact) > 9 or not 0 < int(fact) < last for fact in match[4].split()):
                raise MalformedData(f"{name}, line {number}: no facts {match[4][:60]!r} before it.")
            yield Question(facts, len(facts), words, answer)


@lru_cache(maxsize=10_000)
def words_of(sentence: str) -> Sentence:
    """Words in lower case, without the mark at the end."""
    return tuple(_word().findall(sentence.lower()))


@cache
def _word() -> re.Pattern[str]:
    return re.compile(rf"[\w'{marks()}-]+")
