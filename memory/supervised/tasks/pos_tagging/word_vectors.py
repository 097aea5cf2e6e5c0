"""Text files of word vectors, in the format of GloVe: a word and its numbers, parted by spaces."""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from memory.supervised.data.text_file import MalformedData, read_lines

MOST_NUMBERS = 10_000
"""Of a vector."""
LONGEST_LINE = 1 << 20
"""Bytes."""
LARGEST_NUMBER = 1e6


def read_vectors(file: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The vectors of some words; the others are passed over, however many there are.

    Raises:
        MalformedData: a line is not of the format, a wanted word has two vectors, or no wanted word
            is there.
    """
    found: dict[str, np.ndarray] = {}
    width = None
    for number, line in read_lines(file, LONGEST_LINE):
        if number == 1 and re.fullmatch(r"\d+ \d+\s*", line):
            continue  # word2vec and fastText begin with the numbers of words and columns
        line = line.rstrip("\r\n ")  # fastText ends lines with a space
        # Some words of GloVe have spaces in them, so the numbers are counted from the end.
        width = width or line.count(" ")
        word, *numbers = line.rsplit(" ", width)
        if len(numbers) != width or not 1 <= width <= MOST_NUMBERS:
            raise MalformedData(f"{file}, line {number}: not a word and {width} numbers")
        if word in found:
            raise MalformedData(f"{file}, line {number}: a second vector of {word!r}")
        if word in wanted:
            found[word] = _vector(file, number, numbers)
    if not found:
        raise MalformedData(f"{file} has a vector of no word of the data")
    return found


def _vector(file: Path, line: int, numbers: list[str]) -> np.ndarray:
    try:
        vector = np.array(numbers, dtype=np.float64)
    except ValueError as error:
        raise MalformedData(f"{file}, line {line}: {str(error)[:80]}") from None
    if not np.abs(vector).max() <= LARGEST_NUMBER:
        raise MalformedData(
            f"{file}, line {line}: expected numbers of at most {LARGEST_NUMBER:,.0f}, found "
            f"{vector[np.argmax(~(np.abs(vector) <= LARGEST_NUMBER))]}"
        )
    return vector.astype(np.float32)
