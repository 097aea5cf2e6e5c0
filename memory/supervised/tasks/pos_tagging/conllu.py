"""The CoNLL-U format: words of sentences, one a line, with their parts of speech.

Source: universaldependencies.org, format version 2. A word is a line of ten columns parted by tabs:
ID, FORM, LEMMA, UPOS, XPOS and five more; `#` begins a comment, and an empty line ends a sentence.
Lines of several words written as one (ID `3-4`) and of words left out in the text (ID `5.1`) are no
words of their own, and are skipped.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from memory.supervised.data.text_file import MOST_WORDS, MalformedData, read_text

Tags = Literal["xpos", "upos"]

COLUMNS = 10
UPOS = frozenset(
    (
        *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM"),
        *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"),
    )
)
"""The universal tags."""


class Word(NamedTuple):
    """A word as written, and its tag."""

    form: str
    tag: str


Sentence = list[Word]


def read_sentences(file: Path, tags: Tags) -> list[Sentence]:
    """Every sentence of a file, in order.

    Args:
        tags: the column to read; the format lets the other one be empty (`_`).

    Raises:
        MalformedData: a line is not of the format, or the file ends within a sentence.
    """
    sentences = list(_sentences(file, read_text(file).split("\n"), tags))
    if not sentences:
        raise MalformedData(f"{file} has no sentence.")
    return sentences


def _sentences(file: Path, lines: list[str], tags: Tags) -> Iterator[Sentence]:
    words: Sentence = []
    for number, line in enumerate(lines[:-1], start=1):
        if not line:
            if not words:
                raise MalformedData(f"{file}, line {number}: ends a sentence of no words.")
            yield words
            words = []
        elif not line.startswith("#"):
            try:
                words += _words(line, tags, due=len(words) + 1)
            except ValueError as error:
                raise MalformedData(f"{file}, line {number}: {error}: {line[:60]!r}") from None
    if words or lines[-1]:
        raise MalformedData(f"{file} ends within line {len(lines)}: it was cut short.")


def _words(line: str, tags: Tags, due: int) -> list[Word]:
    """The word of a line, if it is one.

    Raises:
        ValueError: says what is wrong.
    """
    columns = line.split("\t")
    if len(columns) != COLUMNS:
        raise ValueError(f"{len(columns)} columns in place of {COLUMNS}")
    identity, form, _, upos, xpos = columns[:5]
    if re.fullmatch(r"\d+(-\d+|\.\d+)", identity):
        return []
    if identity != str(due):
        raise ValueError(f"word {identity[:20]} where word {due} is due")
    if due > MOST_WORDS:
        raise ValueError(f"a sentence of more than {MOST_WORDS:,} words")
    if not form or form != form.strip():
        raise ValueError(f"the form {form!r} is empty or has a blank around it")
    return [Word(form, _checked(upos, xpos, tags))]


def _checked(upos: str, xpos: str, tags: Tags) -> str:
    """The tag to learn; the other column is checked unless it is empty."""
    if upos not in UPOS and (tags == "upos" or upos != "_"):
        raise ValueError(f"{upos!r} is no universal tag")
    if tags == "upos":
        return upos
    if xpos in ("", "_"):
        raise ValueError("a word without a tag in column 5; --task.tags upos reads column 4")
    if re.search(r"\s", xpos):
        raise ValueError(f"the tag {xpos!r} has a blank")
    return xpos
