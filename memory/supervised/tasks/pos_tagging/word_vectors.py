"""Text files of word vectors, in the format of GloVe: a word and its numbers, parted by spaces."""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from memory.supervised.data.text_file import MalformedData, check_regular


def read_vectors(file: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The vectors of some words; the others are passed over, however many there are.

    Raises:
        MalformedData: a line is not of the format, or no wanted word is there.
    """
    found: dict[str, np.ndarray] = {}
    width = None
    check_regular(file)
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if number == 1 and re.fullmatch(r"\d+ \d+\s*", line):
                    continue  # word2vec and fastText begin with the numbers of words and columns
                # Some words of GloVe have spaces in them, so the numbers are counted from the end.
                width = width or line.count(" ")
                word, *numbers = line.rstrip("\n").rsplit(" ", width)
                if len(numbers) != width:
                    raise MalformedData(f"{file}, line {number}: not a word and {width} numbers")
                if word in wanted:
                    found[word] = _vector(file, number, numbers)
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedData(f"{file} cannot be read: {error}") from None
    if not found:
        raise MalformedData(f"{file} has a vector of no word of the data")
    return found


def _vector(file: Path, number: int, numbers: list[str]) -> np.ndarray:
    try:
        return np.array(numbers, dtype=np.float32)
    except ValueError as error:
        raise MalformedData(f"{file}, line {number}: {error}") from None
