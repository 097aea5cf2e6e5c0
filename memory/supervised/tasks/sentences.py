"""Sentence memorisation: read a sentence letter by letter, then write it from memory.

Source: Barrett, "Learning to remember" (MANN-RL), and its program. For a sentence of L characters,

    input:   start   s_1 ... s_L   separator   empty ... empty   (L + 1 times)
    target:  start   0 1 2 ... 9 0 1 ... (L digits)   separator   s_1 ... s_L   end

About half of the targets are this counter, which needs no memory of the sentence, so a reader is
judged by `recall`: the share of right symbols where the sentence, and its end, are due. `recalled`
is the share of sentences that are written without a mistake. The `f1` that the paper reports is
over all symbols, and of the sentences that were learnt: `train` is that test, and `test` is of
sentences that were not.

The sentences are the shortest of a text: so many that are learnt, and as many as `held_out_of` says
for the validation and for the test, all drawn from the same lengths. HTML's entities are resolved;
characters that the text has fewer than eight times, digits aside, become spaces; what is then equal
counts once.

Differs from the paper:

* Its text, the English side of News Commentary v9, is not at hand: that of Tatoeba is, or any file
  of lines (`--task.file`).
* 5 % of all sentences are kept apart there, whatever their lengths, and never looked at.
* Single characters are not learnt besides, and all sentences from the first update on: its
  curriculum of longer and longer ones, which comes after the 500 shortest, is not here.
* Every sequence starts an episode; the program never resets its memory.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.random import default_rng
from torch import Tensor
from torch.nn.functional import one_hot

from memory.options import positive
from memory.supervised.batch import Batch
from memory.supervised.data.data_folder import find_data
from memory.supervised.data.digest import digest_of
from memory.supervised.data.text_file import MalformedData, read_text
from memory.supervised.head import Answered
from memory.supervised.measure import AccuracyMetric, Measure
from memory.supervised.task import CHUNK, Encoder, Task, TaskConfig, random_source
from memory.supervised.tasks.epochs import Epochs, FlushRight
from memory.supervised.tasks.weighted_f1 import WeightedF1

DIGITS = "0123456789"
START, END, EMPTY, SEPARATOR = range(4)
"""Numbers of the special symbols; those of the digits and the other characters follow."""
SPECIAL = 4
RARE = 8
"""Times that a character has to occur."""
MOST_HELD_OUT = 1000


@dataclass(frozen=True, kw_only=True)
class SentencesConfig(TaskConfig):
    """Write a sentence that was read."""

    sentences: int = 500
    """The shortest so many are learnt; a fifth as many, 1000 at most, are in each held-out set."""
    file: Path | None = None
    """Text of one sentence a line; the English side of Tatoeba if not given."""
    data: Path | None = None
    """Folder with Tatoeba's spa.txt; ENGRAM_DATA or the cache if not given."""

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Tatoeba, unless a file is given."""
        return ("tatoeba_eng_spa",) if self.file is None else ()

    @classmethod
    def small(cls) -> Mapping[str, "SentencesConfig"]:
        """A few sentences."""
        return {"": cls(sentences=60)}

    def build(self, seed: int) -> "Sentences":
        """Read the file and make the task.

        Raises:
            ValueError: an option, or the file, is not what it should be, or is not there.
        """
        positive(sentences=self.sentences)
        if self.file is not None and self.data is not None:
            raise ValueError(f"file={self.file} and data={self.data}: name one of them")
        if self.file is not None:
            file, lines = self.file, read_text(self.file).split("\n")
        else:
            file = find_data("tatoeba_eng_spa", self.data, "spa.txt") / "spa.txt"
            lines = english_of(file)
        texts = cleaned(lines, file)
        held_out = held_out_of(self.sentences)
        wanted = self.sentences + 2 * held_out
        if len(texts) < wanted:
            raise ValueError(
                f"sentences={self.sentences}: needs {wanted} different ones, {held_out} of "
                f"them for each held-out set; {file} has {len(texts)}"
            )
        return Sentences(self, texts[:wanted], seed)


def held_out_of(sentences: int) -> int:
    """Sentences of the validation, and of the test."""
    return max(1, min(sentences // 5, MOST_HELD_OUT))


def english_of(file: Path) -> list[str]:
    """The first column of a file of pairs.

    Raises:
        MalformedData: a line is no pair, or the file ends within one.
    """
    *lines, rest = read_text(file).split("\n")
    if rest:
        raise MalformedData(f"{file} ends within line {len(lines) + 1}: it was cut short.")
    pairs = [line.split("\t") for line in lines]
    for number, pair in enumerate(pairs, start=1):
        if len(pair) < 2 or not all(pair):
            raise MalformedData(
                f"{file}, line {number}: no two columns parted by a tab: {lines[number - 1][:60]!r}"
            )
    return [pair[0] for pair in pairs]


def cleaned(lines: Sequence[str], file: Path) -> list[str]:
    """Different sentences of frequent characters, the shortest first.

    Raises:
        MalformedData: a line has an entity that is none.
    """
    texts: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            texts.append(normalize("NFC", unescape(line)))
        except ValueError as error:  # a number of thousands of digits
            raise MalformedData(f"{file}, line {number}: {error}") from None
    counts = Counter(character for text in set(texts) for character in text)
    spaces = {
        ord(character): " "
        for character, count in counts.items()
        if count < RARE and character not in DIGITS
    }
    different = {" ".join(text.translate(spaces).split()) for text in texts} - {""}
    return sorted(different, key=lambda text: (len(text), text))


class Sentences(Task):
    """Inputs are numbers of symbols `[T, B]`.

    Args:
        texts: those that are learnt and those held out, the shortest first.
    """

    measure = "recall"
    tests = ("test", "train")

    def __init__(self, config: SentencesConfig, texts: Sequence[str], seed: int) -> None:
        self.config, self.seed = config, seed
        self.alphabet = DIGITS + "".join(sorted({c for text in texts for c in text} - {*DIGITS}))
        self.num_classes = SPECIAL + len(self.alphabet)
        number = {character: i for i, character in enumerate(self.alphabet, start=SPECIAL)}
        coded: list[np.ndarray] = [np.array([number[c] for c in text]) for text in texts]
        order = default_rng(random_source(seed, "validation", 0)).permutation(len(texts))
        held = held_out_of(config.sentences)
        chosen = {"test": order[:held], "validation": order[held : 2 * held]}
        chosen["train"] = order[2 * held :]
        self.texts: dict[str, list[np.ndarray]] = {
            split: [coded[i] for i in sorted(places)] for split, places in chosen.items()
        }
        self._digest = digest_of(coded)
        self.longest_episode = 2 * max(map(len, coded)) + 3
        self._epochs = Epochs(np.array([len(text) for text in self.texts["train"]]), seed)

    def encoder(self) -> Encoder:
        """One-hot."""
        return OneHot(self.num_classes)

    def measures(self) -> list[Measure]:
        """Metrics of all symbols, and of the sentence alone."""
        return [AccuracyMetric(), WeightedF1(self.num_classes), Recall()]

    def baselines(self) -> dict[str, float]:
        """Always writing the most frequent symbol of the test's recall."""
        ends = [np.array([END])] * len(self.texts["test"])
        counts = np.bincount(np.concatenate([*self.texts["test"], *ends]))
        return {"most frequent symbol": float(counts.max() / counts.sum())}

    def remarks(self) -> list[str]:
        """Which text it was."""
        name = "English of Tatoeba" if self.config.file is None else self.config.file.name
        lengths = [len(text) for text in self.texts["train"]]
        return [
            f"{len(lengths)} sentences of {min(lengths)} to {max(lengths)} characters ({name}); "
            "the paper's, of News Commentary v9, were not at hand."
        ]

    def identity(self) -> str:
        """Hashes of the alphabet and of the sentences."""
        alphabet = sha256(self.alphabet.encode()).hexdigest()[:16]
        return f"alphabet {alphabet}, sentences {self._digest}"

    def batch(self, number: int, size: int) -> Batch:
        """Sentences of similar length; each occurs once per epoch."""
        return lay_out([self.texts["train"][int(i)] for i in self._epochs.batch(number, size)])

    def held_out(self, split: str) -> Iterator[Batch]:
        """All sentences, the shortest first; `train` is those that are learnt."""
        texts = self.texts[split]
        for first in range(0, len(texts), CHUNK):
            yield lay_out(texts[first : first + CHUNK])


def lay_out(texts: Sequence[np.ndarray]) -> Batch:
    """Sequences of sentences that end together."""
    flush = FlushRight(np.array([2 * len(text) + 3 for text in texts]))
    inputs, targets = list[Any](), list[Any]()
    counter = np.arange(max(map(len, texts))) % 10 + SPECIAL
    for text in texts:
        inputs += [[START], text, [SEPARATOR], np.full(len(text) + 1, EMPTY)]
        targets += [[START], counter[: len(text)], [SEPARATOR], text, [END]]
    shown, due = (flush.place(np.concatenate(part), EMPTY) for part in (inputs, targets))
    return Batch(shown, due, flush.is_inside, flush.resets)


class OneHot(Encoder):
    """One number per symbol, of which one is 1."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.output_shape = (symbols,)

    def forward(self, inputs: Int[Tensor, "T B"]) -> Float[Tensor, "T B F"]:
        """One-hot symbols."""
        return one_hot(inputs, *self.output_shape).float()


class Recall(Measure):
    """`recall`: right symbols where a sentence is due; `recalled`: sentences without a mistake."""

    def __init__(self) -> None:
        self.right = self.due = self.whole = self.sentences = 0

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch."""
        due = batch.loss_mask & batch.inputs.eq(EMPTY)
        wrong = torch.zeros_like(due)
        wrong[batch.loss_mask] = answered.guesses != batch.targets[batch.loss_mask]
        wrong &= due
        self.due += int(due.sum())
        self.right += int(due.sum() - wrong.sum())
        self.sentences += due.shape[1]
        self.whole += int((~wrong.any(dim=0)).sum())

    def results(self) -> dict[str, float]:
        """Two shares."""
        return {"recall": self.right / self.due, "recalled": self.whole / self.sentences}
