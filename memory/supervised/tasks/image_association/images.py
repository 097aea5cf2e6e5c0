"""Images of ten classes, and images of ten digits, for the image association task.

`cifar10_mnist`: CIFAR-10 in its binary version, and MNIST, as in the paper. `omniglot`, a stand-in:
ten characters of the Futurama alphabet, and the letters a to j in place of digits. Of the twenty
people who drew them, fourteen are for training, six for the test; each drawing is turned a little,
and moved a little, in 45 ways. `drawn`, for those who have no data: gratings of ten directions and
widths, and the seven segments of a clock, made by a random generator of a fixed seed.
"""

import gzip
import math
import re
import zlib
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from memory.supervised.data.data_folder import find_data, key_of, prepared
from memory.supervised.data.pictures import open_zip, picture_in
from memory.supervised.data.text_file import LARGEST, MalformedData, read_data

Images = Literal["cifar10_mnist", "omniglot", "drawn"]
SETS_OF: dict[Images, tuple[str, ...]] = {
    "cifar10_mnist": ("cifar10", "mnist"),
    "omniglot": ("omniglot",),
    "drawn": (),
}
"""Data sets that the images are read from."""

SIDE = 32
CLASSES = 10
FEWEST = 4
"""Images of each class: a quarter of them are for questions only."""
PARTS = ("train", "test")
VERSION = "2"
"""Of what is prepared: changes with the code that makes it."""
CIFAR_FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
MNIST_FILES = {"train": "train", "test": "t10k"}
ARCHIVE = "images_background.zip"
ALPHABETS = ("Futurama", "Latin")
DRAWING = (105, 105)
"""Width and height."""
DRAWERS, TRAINING_DRAWERS = 20, 14
TURNS = (-10, -5, 0, 5, 10)
MOVES = (-2, 0, 2)
DRAWN = {"train": 120, "test": 40}
"""Images drawn of each class."""
SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
"""Those that are lit in each digit; a is on top, b to f go round, g is in the middle."""


class Gallery(NamedTuple):
    """Images and the class of each; in any order."""

    pictures: np.ndarray
    """uint8 [N, 32, 32, 3]"""
    kinds: np.ndarray
    """0 to 9, [N]"""
    digits: np.ndarray
    """uint8 [M, 32, 32]"""
    values: np.ndarray
    """0 to 9, [M]"""


def galleries(images: Images, given: Path | None) -> dict[str, Gallery]:
    """The images for training, and those for the test.

    Raises:
        ValueError: files are not there, or are not what they should be.
    """
    if images == "drawn":
        return {part: _drawn(part) for part in PARTS}
    if images == "omniglot":
        archive = find_data("omniglot", given, ARCHIVE) / ARCHIVE
        key = key_of([archive], VERSION)
        arrays = prepared("image_association-omniglot", key, lambda: _letters(archive))
        return {
            part: Gallery(*(arrays[f"{part}/{name}"] for name in Gallery._fields)) for part in PARTS
        }
    cifar = find_data("cifar10", given, "data_batch_1.bin")
    mnist = find_data("mnist", given, "train-labels-idx1-ubyte.gz")
    return {part: Gallery(*_cifar10(cifar, part), *_mnist(mnist, part)) for part in PARTS}


def _cifar10(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Records of a byte for the class and 3 x 32 x 32 for the image."""
    records: list[np.ndarray] = []
    for name in CIFAR_FILES[part]:
        data = np.frombuffer(read_data(folder / name), dtype=np.uint8)
        if not len(data) or len(data) % (1 + 3 * SIDE * SIDE):
            raise MalformedData(f"{folder / name}: {len(data)} bytes are not records of 3073.")
        records.append(data.reshape(-1, 1 + 3 * SIDE * SIDE))
    every = np.concatenate(records)
    pictures = every[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pictures), _classes(folder, every[:, 0])


def _mnist(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """28 x 28, with two rows or columns of zeros on each side."""
    name = MNIST_FILES[part]
    images = _idx(folder / f"{name}-images-idx3-ubyte.gz", 3)
    labels = _idx(folder / f"{name}-labels-idx1-ubyte.gz", 1)
    if images.shape[1:] != (28, 28) or len(images) != len(labels):
        raise MalformedData(
            f"{folder}: expected images of 28 x 28, as many as labels; found "
            f"{' x '.join(map(str, images.shape))} and {len(labels)} labels."
        )
    return np.pad(images, ((0, 0), (2, 2), (2, 2))), _classes(folder, labels)


def _idx(file: Path, axes: int) -> np.ndarray:
    """Two zeros, the type (8: bytes), the number of axes, the length of each, and the bytes."""
    try:
        with gzip.open(BytesIO(read_data(file))) as opened:
            data = opened.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedData(f"{file} is not a whole gzip file: {error}") from None
    if len(data) > LARGEST:
        raise MalformedData(f"{file} unpacks to more than {LARGEST:,} bytes.")
    start = 4 + 4 * axes
    shape = np.frombuffer(data[4:start], dtype=">u4").tolist() if len(data) >= start else [0]
    if data[:4] != bytes((0, 0, 8, axes)) or len(data) - start != math.prod(shape):
        raise MalformedData(f"{file}: the header does not match the number of bytes.")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _classes(folder: Path, labels: np.ndarray) -> np.ndarray:
    if set(np.unique(labels)) != set(range(CLASSES)):
        raise MalformedData(f"{folder}: expected labels 0 to 9, found {np.unique(labels)}.")
    if np.bincount(labels).min() < FEWEST:
        raise MalformedData(f"{folder}: expected at least {FEWEST} images of each class.")
    return labels.astype(np.int64)


def _letters(file: Path) -> dict[str, np.ndarray]:
    """Both parts of Omniglot, by `part/name`."""
    sides = [_characters(file, alphabet) for alphabet in ALPHABETS]  # [10, 20, 45, 32, 32] each
    arrays: dict[str, np.ndarray] = {}
    drawers = np.split(np.arange(DRAWERS), [TRAINING_DRAWERS])
    for part, chosen in zip(PARTS, drawers, strict=True):
        pictures, digits = (side[:, chosen] for side in sides)
        kinds = np.repeat(np.arange(CLASSES), pictures[0, ..., 0, 0].size)
        pictures, digits = (x.reshape(-1, SIDE, SIDE) for x in (pictures, digits))
        coloured = np.repeat(pictures[..., None], 3, axis=-1)
        gallery = Gallery(coloured, kinds, digits, kinds)
        arrays |= {f"{part}/{name}": array for name, array in gallery._asdict().items()}
    return arrays


def _characters(file: Path, alphabet: str) -> np.ndarray:
    """Every variant of every drawing of the first ten characters, [10, 20, 45, 32, 32]."""
    with open_zip(file) as archive:
        names = _drawings(file, archive.namelist(), alphabet)
        drawings = [_variants(picture_in(archive, name, DRAWING)) for name in names]
    return np.stack(drawings).reshape(CLASSES, DRAWERS, -1, SIDE, SIDE)


def _drawings(file: Path, names: Sequence[str], alphabet: str) -> list[str]:
    """Names of the drawings of the first ten characters, by character and then by drawer.

    Raises:
        MalformedData: a character has not one drawing by each drawer.
    """
    found: dict[tuple[int, int], str] = {}
    for name in names:
        # A number of the character among all alphabets, and of the drawer: 0325_01.png
        match = re.search(rf"/{alphabet}/character(\d\d)/\d+_(\d\d)\.png$", name)
        if match is None:
            continue
        key = int(match[1]), int(match[2])
        if key in found:
            raise MalformedData(f"{file}: {found[key]} and {name} are the same drawing.")
        found[key] = name
    for character in range(1, CLASSES + 1):
        drawers = sorted(drawer for c, drawer in found if c == character)
        if drawers != list(range(1, DRAWERS + 1)):
            raise MalformedData(
                f"{file}: character {character} of {alphabet} has {len(drawers)} drawings, "
                f"expected those of drawers 1 to {DRAWERS}."
            )
    return [found[key] for key in sorted(found) if key[0] <= CLASSES]


def _variants(picture: Image.Image) -> np.ndarray:
    """A drawing, light on dark, turned and moved in 45 ways."""
    drawing = ImageOps.invert(picture.convert("L"))
    reach = max(MOVES)
    variants: list[np.ndarray] = []
    for turn in TURNS:
        turned = drawing.rotate(turn, Image.Resampling.BILINEAR)
        small = turned.resize((SIDE, SIDE), Image.Resampling.BOX)
        padded = np.pad(np.asarray(small), reach)
        variants += [
            padded[reach + down : reach + down + SIDE, reach + right : reach + right + SIDE]
            for down in MOVES
            for right in MOVES
        ]
    return np.stack(variants)


@cache
def _drawn(part: str) -> Gallery:
    random = np.random.default_rng([2020, PARTS.index(part)])
    kinds = np.tile(np.arange(CLASSES), DRAWN[part])
    pictures = np.stack([_grating(kind, random) for kind in kinds.tolist()])
    digits = np.stack([_digit(value, random) for value in kinds.tolist()])
    return Gallery(pictures, kinds, digits, kinds)


def _grating(kind: int, random: np.random.Generator) -> np.ndarray:
    """Waves of one of five directions and two lengths, in two colours."""
    angle, length = np.pi * (kind % 5) / 5, (6.0, 12.0)[kind // 5]
    y, x = np.mgrid[:SIDE, :SIDE]
    along = (x * np.cos(angle) + y * np.sin(angle)) / length + random.random()
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * along)[..., None]
    dark, light = random.uniform(0, 100, 3), random.uniform(155, 255, 3)
    return (dark + wave * (light - dark)).astype(np.uint8)


def _digit(value: int, random: np.random.Generator) -> np.ndarray:
    """Seven segments, somewhere."""
    top, left = random.integers(3, 8), random.integers(5, 13)
    lit = random.integers(150, 256)
    places: dict[str, Sequence[slice]] = {
        "a": (slice(0, 3), slice(0, 13)),
        "b": (slice(0, 11), slice(10, 13)),
        "c": (slice(10, 21), slice(10, 13)),
        "d": (slice(18, 21), slice(0, 13)),
        "e": (slice(10, 21), slice(0, 3)),
        "f": (slice(0, 11), slice(0, 3)),
        "g": (slice(9, 12), slice(0, 13)),
    }
    image = np.zeros((SIDE, SIDE), dtype=np.uint8)
    window = image[top : top + 21, left : left + 13]
    for segment in SEGMENTS[value]:
        window[tuple(places[segment])] = lit
    return image
