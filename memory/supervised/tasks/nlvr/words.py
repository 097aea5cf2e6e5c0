"""Words of the sentences of NLVR, which their writers spelt as they liked.

Lower case, without punctuation, numbers as words. A word that hardly a training sentence has is
taken for a slip of a frequent one if a letter more, less, other or swapped, the first one kept,
makes it that, or a space. What remains rare is one and the same unknown word. (Pavez et al. 2018
use a spelling corrector, a lemmatiser and a list of replacements.)
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

from memory.supervised.data.words import marks

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FREQUENT = 10
"""Sentences, all different, with a word, from which on other words are corrected to it."""
FAMILIAR = 3
"""Sentences, all different, with a word, from which on it is not corrected."""
UNKNOWN = 1
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONGEST = 50
"""Letters of a word that is corrected."""


def words_of(sentence: str) -> list[str]:
    """Words in lower case; digits spelt out."""
    words = _word().findall(sentence.lower())
    return [NUMBERS[int(word)] if word.isdecimal() else word for word in words]


@cache
def _word() -> re.Pattern[str]:
    return re.compile(rf"(?:[^\W\d_]|[{marks()}])+|\d")


class Spelling:
    """Numbers of words from 1 on, learnt from training sentences; 1 is any unknown word."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.counts = Counter(word for s in set(sentences) for word in set(words_of(s)))
        words = sorted(word for word, count in self.counts.items() if count >= FAMILIAR)
        self.numbers = {word: number for number, word in enumerate(words, start=UNKNOWN + 1)}

    def __len__(self) -> int:
        """Numbers in use, 0 for no word among them."""
        return len(self.numbers) + UNKNOWN + 1

    def read(self, sentence: str) -> list[int]:
        """Numbers of the words that were meant."""
        meant = (word for written in words_of(sentence) for word in self.meant(written))
        return [self.numbers.get(word, UNKNOWN) for word in meant] or [UNKNOWN]

    def meant(self, word: str) -> tuple[str, ...]:
        """A frequent word that is one slip away, or two run together; else the word itself."""
        if self.counts[word] < FAMILIAR and len(word) <= LONGEST:
            if near := list(filter(self._is_frequent, _slips(word))):
                return (max(near, key=lambda other: (self.counts[other], other)),)
            for cut in range(1, len(word)):
                parts = word[:cut], word[cut:]
                if all(map(self._is_frequent, parts)):
                    return parts
        return (word,)

    def _is_frequent(self, word: str) -> bool:
        return self.counts[word] >= FREQUENT


def _slips(word: str) -> Iterator[str]:
    """What differs from a word by one slip; of short ones, nothing."""
    if len(word) > 1:
        yield word[1] + word[0] + word[2:]
    for i in range(1, len(word) + 1 if len(word) > 2 else 1):
        head, tail = word[:i], word[i:]
        yield from (head + letter + tail for letter in LETTERS)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in LETTERS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
