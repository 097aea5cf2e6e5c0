"""Single-shot association: three images, each beside a digit, seen once; then one of them again.

Source: Limbacher and Legenstein, "H-Mem: Harnessing synaptic plasticity with Hebbian memory
networks" (2020), and the authors' program. A frame is an image of one of ten classes and, on its
right, a digit, 32 x 64 together; classes and digits of a sequence are all different. After each of
three frames come `delay` frames of noise, one grey value for each pixel. Then another image of one
of the three classes is shown, alone: which digit was beside that class?

There are 12,500 sequences of training images, the last tenth of which is the validation, and 2,230
of test images, the same for every seed. A quarter of the images of each class are kept for asking,
and an image comes again only once all others of its class and use have come.

Differs from the paper: noise is drawn again for each batch, in 256 shades; classes are paired at
random, so that their frequencies differ slightly.
"""

# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple, cast, get_args

import numpy as np
import torch

from memory.options import one_of
from memory.supervised.batch import Batch
from memory.supervised.task import Encoder, Task, TaskConfig, random_source
from memory.supervised.tasks.epochs import Epochs
from memory.supervised.tasks.image_association.convnet import ConvNet, FrameEncoder
from memory.supervised.tasks.image_association.images import (
    CLASSES,
    SETS_OF,
    SIDE,
    Gallery,
    Images,
    galleries,
)

PAIRS = 3
SEQUENCES = {"train": 12_500, "test": 2_230}
HELD_OUT = 1_250
"""Training sequences that are kept for validation."""
SEED = 42
"""Seed of the choice of images."""
CHUNK = 32
"""Sequences of a held-out batch; with long delays they are large."""


@dataclass(frozen=True, kw_only=True)
class ImageAssociationConfig(TaskConfig):
    """Recall the digit that was beside an image of a class."""

    delay: int = 0
    """Frames of noise after each of the three frames."""
    test_delays: tuple[int, ...] = ()
    """Other delays at which the best weights are tested."""
    images: Images = "cifar10_mnist"
    """Images: the published ones, letters in their place, or generated shapes."""
    network: ConvNet = "small"
    """Convolutional network of a frame: three layers, or the ten of the paper."""
    data: Path | None = None
    """Folder with `cifar10` and `mnist`, or `omniglot`; ENGRAM_DATA or the cache if not given."""

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Those of `images`."""
        return SETS_OF[self.images]

    @classmethod
    def small(cls) -> Mapping[str, "ImageAssociationConfig"]:
        """Images that need no files, with and without delays."""
        return {
            "": cls(images="drawn"),
            "delays": cls(images="drawn", delay=1, test_delays=(2,)),
        }

    def build(self, seed: int) -> "ImageAssociation":
        """Read the images and make the task.

        Raises:
            ValueError: an option, or a file, is not what it should be, or is not there.
        """
        for name, delay in (("delay", self.delay), *(("test_delays", d) for d in self.test_delays)):
            if delay < 0:
                raise ValueError(f"{name}={delay}: must be 0 or more")
        one_of("images", self.images, get_args(Images))
        one_of("network", self.network, get_args(ConvNet))
        return ImageAssociation(self, galleries(self.images, self.data), seed)


class Sequences(NamedTuple):
    """Numbers of images in a gallery, for S sequences."""

    pictures: np.ndarray
    """[S, 3]"""
    digits: np.ndarray
    """[S, 3]"""
    asked: np.ndarray
    """Picture that is shown at the end, [S]."""
    answers: np.ndarray
    """Values of digits, [S]."""


class ImageAssociation(Task):
    """Inputs are frames, uint8 [T, B, 32, 64, 3]."""

    num_classes = CLASSES

    def __init__(
        self, config: ImageAssociationConfig, images: dict[str, Gallery], seed: int
    ) -> None:
        self.config, self.images, self.seed = config, images, seed
        self.longest_episode = PAIRS * (max(config.delay, *config.test_delays, 0) + 1) + 1
        self.sequences = {part: draw(images[part], count) for part, count in SEQUENCES.items()}
        self.tests = ("test", *(f"delay_{delay}" for delay in config.test_delays))
        self.epochs = Epochs(np.zeros(SEQUENCES["train"] - HELD_OUT), seed)

    def encoder(self) -> Encoder:
        """A convolutional network."""
        return FrameEncoder(self.config.network)

    def baselines(self) -> dict[str, float]:
        """Guessing among the digits shown, and among all."""
        return {"any shown": 1 / PAIRS, "chance": 1 / CLASSES}

    def remarks(self) -> list[str]:
        """Says so if the images are not the published ones."""
        if self.config.images == "cifar10_mnist":
            return []
        return [f"a stand-in: images are {self.config.images}, not those of CIFAR-10 and MNIST"]

    def batch(self, number: int, size: int) -> Batch:
        """A training batch; each sequence occurs once per epoch."""
        chosen = self.epochs.batch(number, size)
        return self._lay_out("train", chosen, self.config.delay, self._random("train", number))

    def held_out(self, split: str) -> Iterator[Batch]:
        """All sequences of a split, in order; `delay_<n>` is the test with another delay."""
        delay = self.config.delay
        if split == "validation":
            part, first = "train", SEQUENCES["train"] - HELD_OUT
        else:
            part, first = "test", 0
            delay = int(split.removeprefix("delay_")) if split != "test" else delay
        chosen = np.arange(first, SEQUENCES[part])
        source = "validation" if part == "train" else "test"
        for number, start in enumerate(range(0, len(chosen), CHUNK)):
            random = self._random(source, number)
            yield self._lay_out(part, chosen[start : start + CHUNK], delay, random)

    def _random(self, split: str, number: int) -> np.random.Generator:
        return np.random.default_rng(random_source(self.seed, split, number))

    def _lay_out(
        self, part: str, chosen: np.ndarray, delay: int, random: np.random.Generator
    ) -> Batch:
        gallery, sequences = self.images[part], self.sequences[part]
        steps, size = PAIRS * (delay + 1) + 1, len(chosen)
        frames = np.empty((steps, size, SIDE, 2 * SIDE, 3), dtype=np.uint8)
        shown = frames[: -1 : delay + 1]  # [3, B, 32, 64, 3]
        shown[..., :SIDE, :] = gallery.pictures[sequences.pictures[chosen].T]
        shown[..., SIDE:, :] = gallery.digits[sequences.digits[chosen].T][..., None]
        frames[-1] = 0
        frames[-1, ..., :SIDE, :] = gallery.pictures[sequences.asked[chosen]]
        if delay:
            noise = random.integers(0, 256, (PAIRS, delay, size, SIDE, 2 * SIDE, 1), dtype=np.uint8)
            frames[:-1].reshape(PAIRS, delay + 1, *frames.shape[1:])[:, 1:] = noise
        targets = torch.from_numpy(sequences.answers[chosen]).repeat(steps, 1)
        loss_mask = torch.zeros_like(targets, dtype=torch.bool)
        loss_mask[-1] = True
        return Batch(torch.from_numpy(frames), targets, loss_mask)


def draw(gallery: Gallery, count: int) -> Sequences:
    """Sequences of a gallery, the same for every seed."""
    random = np.random.default_rng(SEED)
    pictures = [random.permutation(np.flatnonzero(gallery.kinds == k)) for k in range(CLASSES)]
    digits = [random.permutation(np.flatnonzero(gallery.values == v)) for v in range(CLASSES)]
    kept = [len(of) - len(of) // 4 for of in pictures]
    seen = [_endless(of[:n]) for of, n in zip(pictures, kept, strict=True)]
    asked = [_endless(of[n:]) for of, n in zip(pictures, kept, strict=True)]
    beside = [_endless(of) for of in digits]
    classes = np.tile(np.arange(CLASSES), (count, 1))
    kinds, values = (random.permuted(classes, axis=1)[:, :PAIRS] for _ in range(2))
    every, place = np.arange(count), random.integers(PAIRS, size=count)
    return Sequences(
        np.array([[next(seen[int(kind)]) for kind in row] for row in kinds]),
        np.array([[next(beside[int(value)]) for value in row] for row in values]),
        np.array([next(asked[int(kind)]) for kind in kinds[every, place]]),
        values[every, place],
    )


def _endless(numbers: np.ndarray) -> Iterator[int]:
    return chain.from_iterable(repeat(cast(list[int], numbers.tolist())))
