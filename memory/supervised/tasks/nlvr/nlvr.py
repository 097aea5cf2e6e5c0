"""NLVR: is a sentence true of a picture of three boxes?

Source: Suhr, Lewis, Yeh and Artzi, "A Corpus of Natural Language for Visual Reasoning" (2017); the
published files (`nlvr_files.py`). The boxes come first, the sentence last, and the answer is due
there (`nlvr_encoder.py`). Boxes are given as pixels, or, in the corpus's second mode, as the things
in them.

An epoch has every training example with its boxes in each of their six orders. `validation` is the
development set, boxes in the published order of the first picture. The tests `dev`, `test` (public)
and `hidden` (unreleased until 2022) score pictures as the official program does: every example in
all six orders, `accuracy` over all of these, and `consistency`, the share of sentences of which
all was answered right, about every picture in every order. Of things, one order is scored.
"""

# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import torch

from memory.options import one_of
from memory.supervised.batch import Batch
from memory.supervised.data.data_folder import find_data, key_of, prepared
from memory.supervised.data.digest import digest_of
from memory.supervised.head import Answered
from memory.supervised.measure import AccuracyMetric, Measure
from memory.supervised.task import CHUNK, Encoder, Task, TaskConfig
from memory.supervised.tasks.epochs import Epochs
from memory.supervised.tasks.nlvr.encoder import Boxes, Cells, NlvrInputs, Reads, Things
from memory.supervised.tasks.nlvr.files import (
    BOXES,
    Example,
    Pictures,
    archives_of,
    file_of,
    pictures_of,
    read_examples,
)
from memory.supervised.tasks.nlvr.words import Spelling

Given = Literal["pictures", "things"]
Steps = Literal["boxes", "reads"]

ORDERS = np.array(list(permutations(range(BOXES))))
FILES = ("train", "dev", "test", "hidden")
VERSION = "1"
"""Of what is prepared: changes with the code that makes it."""


@dataclass(frozen=True, kw_only=True)
class NlvrConfig(TaskConfig):
    """Whether a sentence is true of three boxes."""

    given: Given = "pictures"
    """Input of the boxes: pixels, or the things in them."""
    steps: Steps = "boxes"
    """Input before the sentence: the boxes one by one, or the results of six attentive reads."""
    data: Path | None = None
    """Folder with `dev.json` and the others; ENGRAM_DATA or the cache if not given."""

    @property
    def data_sets(self) -> tuple[str, ...]:
        """NLVR."""
        return ("nlvr",)

    @classmethod
    def small(cls) -> Mapping[str, "NlvrConfig"]:
        """Things and pictures, as boxes and as reads."""
        return {
            "": cls(given="things"),
            "pictures": cls(),
            "reads": cls(given="things", steps="reads"),
        }

    def build(self, seed: int) -> "Nlvr":
        """Read the files and make the task.

        Raises:
            ValueError: an option, or a file, is not what it should be, or is not there.
        """
        one_of("given", self.given, get_args(Given))
        one_of("steps", self.steps, get_args(Steps))
        folder = find_data("nlvr", self.data, "dev.json")
        files = {name: file_of(folder, name) for name in FILES}
        examples = {name: read_examples(file) for name, file in files.items()}
        rebuilt = files["train"] if files["train"].name == "train_rebuilt.json" else None
        boxes = {name: np.stack([e.things for e in of]) for name, of in examples.items()}
        if self.given == "pictures":
            boxes = _pixels(folder, files, examples)
        return Nlvr(self, examples, boxes, rebuilt, seed)


def _pixels(
    folder: Path, files: dict[str, Path], examples: dict[str, list[Example]]
) -> dict[str, np.ndarray]:
    """The boxes of every example of each split, uint8 [N, 3, 50, 50, 3]."""

    def make() -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for name, of in examples.items():
            pictures = Pictures(folder, name)
            arrays[name] = np.stack([pictures.boxes(example) for example in of])
        return arrays

    sources = [
        path
        for name in FILES
        for path in (files[name], *archives_of(folder, name), *pictures_of(folder, name))
    ]
    return prepared("nlvr", key_of(sources, VERSION), make)


class Consistency(Measure):
    """`consistency`: the share of groups (sentences) without a wrong answer."""

    def __init__(self) -> None:
        self.all: set[int] = set()
        self.wrong: set[int] = set()

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch; each sequence has one."""
        assert batch.groups is not None
        is_wrong = answered.guesses != batch.targets[-1]
        self.all.update(cast(list[int], batch.groups.tolist()))
        self.wrong.update(cast(list[int], batch.groups[is_wrong].tolist()))

    def results(self) -> dict[str, float]:
        """A share."""
        return {"consistency": 1 - len(self.wrong) / len(self.all)}


class Nlvr(Task):
    """The answer is 1 where the sentence is true; each sentence is a group."""

    num_classes = 2
    tests = ("dev", "test", "hidden")
    floor = "all true, test"

    def __init__(
        self,
        config: NlvrConfig,
        examples: dict[str, list[Example]],
        boxes: dict[str, np.ndarray],
        rebuilt: Path | None,
        seed: int,
    ) -> None:
        self.config, self.boxes, self.rebuilt = config, boxes, rebuilt
        self.longest_episode = (Boxes if config.steps == "boxes" else Reads).steps
        self.spelling = Spelling(example.sentence for example in examples["train"])
        self.words = {
            split: _padded([self.spelling.read(e.sentence) for e in of])
            for split, of in examples.items()
        }
        self.truths = {
            split: np.array([e.is_true for e in of], dtype=np.int64)
            for split, of in examples.items()
        }
        self._digest = digest_of([*self.words.values(), *self.truths.values()])
        self.sentences = {
            split: np.array([int(e.identifier.split("-")[0]) for e in of])
            for split, of in examples.items()
        }
        self.epochs = Epochs(np.zeros(len(examples["train"]) * len(ORDERS)), seed)

    def encoder(self) -> Encoder:
        """Boxes, or what was read in them, and then the sentence."""
        kind = Boxes if self.config.steps == "boxes" else Reads
        look = Cells(*self._moments()) if self.config.given == "pictures" else Things()
        return kind(look, len(self.spelling))

    def measures(self) -> list[Measure]:
        """As the official program counts."""
        return [AccuracyMetric(), Consistency()]

    def baselines(self) -> dict[str, float]:
        """Saying that every sentence is true."""
        return {f"all true, {name}": float(self.truths[name].mean()) for name in self.tests}

    def remarks(self) -> list[str]:
        """How it is scored, and whether the training examples are not the published file."""
        if self.config.given == "things":
            how = "each example is scored once, whatever the order of its boxes"
        else:
            how = "the six orders are made from the first picture of each example"
        remarks = [f"weights are chosen on dev, so dev is no test; {how}"]
        if self.rebuilt is not None:
            remarks.append(f"trained on {self.rebuilt.name}, not on the published train.json")
        return remarks

    def identity(self) -> str:
        """The vocabulary, and the sentences with what is true of them."""
        words = "\n".join(self.spelling.numbers)
        named = f"{len(self.spelling)} words, {sha256(words.encode()).hexdigest()[:8]}"
        return f"{named}, sentences {self._digest}"

    def batch(self, number: int, size: int) -> Batch:
        """A training batch; each order of each example occurs once per epoch."""
        rows = self.epochs.batch(number, size)
        return self._lay_out("train", rows // len(ORDERS), rows % len(ORDERS))

    def held_out(self, split: str) -> Iterator[Batch]:
        """`validation` in one order; of pictures, the tests in all six."""
        name = "dev" if split == "validation" else split
        one = split == "validation" or self.config.given == "things"
        orders = 1 if one else len(ORDERS)
        rows = np.arange(len(self.truths[name]) * orders)
        for first in range(0, len(rows), CHUNK):
            chunk = rows[first : first + CHUNK]
            yield self._lay_out(name, chunk // orders, chunk % orders)

    def _lay_out(self, name: str, chosen: np.ndarray, orders: np.ndarray) -> Batch:
        boxes = self.boxes[name][chosen[:, None], ORDERS[orders]].swapaxes(0, 1)
        words = self.words[name][chosen]
        longest = int((words > 0).sum(axis=1).max())
        inputs = NlvrInputs(
            torch.from_numpy(np.ascontiguousarray(boxes)),
            torch.from_numpy(np.ascontiguousarray(words[:, :longest].T)),
        )
        steps = (Boxes if self.config.steps == "boxes" else Reads).steps
        targets = torch.from_numpy(self.truths[name][chosen]).repeat(steps, 1)
        loss_mask = torch.zeros_like(targets, dtype=torch.bool)
        loss_mask[-1] = True
        groups = torch.from_numpy(self.sentences[name][chosen])
        return Batch(inputs, targets, loss_mask, groups=groups)

    def _moments(self) -> tuple[float, float]:
        """Mean and deviation of the pixels of training."""
        counts = sum(np.bincount(picture.ravel(), minlength=256) for picture in self.boxes["train"])
        values = np.arange(256)
        mean = np.average(values, weights=counts)
        return float(mean), float(np.average((values - mean) ** 2, weights=counts) ** 0.5)


def _padded(sentences: Sequence[list[int]]) -> np.ndarray:
    """[N, W], 0 after the last word."""
    words = np.zeros((len(sentences), max(map(len, sentences))), dtype=np.int64)
    for row, sentence in zip(words, sentences, strict=True):
        row[: len(sentence)] = sentence
    return words
