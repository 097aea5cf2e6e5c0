"""The published files of NLVR: sentences about pictures of three boxes, and the pictures.

Source: Suhr, Lewis, Yeh and Artzi, "A Corpus of Natural Language for Visual Reasoning" (2017), and
the README of its repository. A line of `<split>.json` is an example: a sentence, an identifier
`n-m` whose n is that of the sentence, the label, and the things in each box. Its six pictures
`<split>/images/<directory>/<split>-n-m-<k>.png` show the same boxes in the six orders, in
folders or in archives `images_<split>*.zip`. Only k = 0 is read: boxes can be put in order later.
(A fifth of the other pictures differ from that by up to 14 of 255 where lines are smoothed.)

A picture of 400 x 100 is brought to 200 x 50, each pixel the mean of four, and cut into three boxes
of 50 x 50, as Pavez et al. (2018) do; they do not say by which filter.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from memory.supervised.data.pictures import open_zip, picture_in, read_picture
from memory.supervised.data.text_file import MalformedData, read_text

SIDE = 50
"""Height and width of a box, in pixels."""
BOXES = 3
THINGS = 8
"""In a box, at most."""
PLACES = range(101)
"""From left to right and from top to bottom of a box."""
LONGEST_SENTENCE = 5_000
"""Characters."""
KINDS: Mapping[str, tuple[str | int, ...]] = {
    "type": ("square", "circle", "triangle"),
    "color": ("yellow", "black", "#0099ff"),
    "size": (10, 20, 30),
}
FEATURES = 2 + sum(map(len, KINDS.values()))
"""Of a thing: where it is, and what it is, one-hot."""
NAMES = {"train": ("train.json", "train/train.json", "train_rebuilt.json")}
"""Names of the file of a split, if it has others than `<split>.json`; the first found is read."""


class Example(NamedTuple):
    """A sentence that is true of a picture, or false."""

    identifier: str
    sentence: str
    is_true: bool
    things: np.ndarray
    """float32 [3 boxes, 8, 11]; zeros where there is nothing."""


def file_of(folder: Path, split: str) -> Path:
    """The file with the examples of a split.

    Raises:
        MalformedData: there is none.
    """
    names = NAMES.get(split, (f"{split}.json", f"{split}/{split}.json"))
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MalformedData(f"{folder}: expected {' or '.join(names)}, found neither.")


def read_examples(file: Path) -> list[Example]:
    """Every example of a file, in order.

    Raises:
        MalformedData: a line is not of the format.
    """
    examples: list[Example] = []
    text = read_text(file)
    lines = text.removesuffix("\n").split("\n") if text else []  # a sentence may hold other breaks
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        try:
            examples.append(_example(json.loads(line, object_pairs_hook=_unique)))
            if examples[-1].identifier in seen:
                raise ValueError("an identifier for the second time")
            seen.add(examples[-1].identifier)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else error
            raise MalformedData(f"{file}, line {number}: {what}: {line[:60]!r}") from None
    if not examples:
        raise MalformedData(f"{file} has no example.")
    return examples


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _example(fields: dict[str, Any]) -> Example:
    sentence, identifier = fields["sentence"], fields["identifier"]
    if not re.fullmatch(r"[0-9]{1,9}-[0-9]{1,9}", identifier) or not sentence.strip():
        raise ValueError("expected an identifier n-m and a sentence")
    if len(sentence) > LONGEST_SENTENCE:
        raise ValueError(f"a sentence of {len(sentence):,} characters")
    label = fields["label"].lower()
    if label not in ("true", "false"):
        raise ValueError(f"expected the label true or false, not {label!r}")
    boxes = fields["structured_rep"]
    if len(boxes) != BOXES or max(map(len, boxes)) > THINGS:
        raise ValueError(f"expected {BOXES} boxes of at most {THINGS} things")
    things = np.zeros((BOXES, THINGS, FEATURES), dtype=np.float32)
    for place, box in zip(things, boxes, strict=True):
        for row, thing in zip(place, box, strict=False):
            row[:] = _features(thing)
    return Example(identifier, sentence, label == "true", things)


def _features(thing: dict[str, Any]) -> list[float]:
    features: list[float] = []
    for name in ("x_loc", "y_loc"):
        place = thing[name]
        if type(place) not in (int, float) or not PLACES[0] <= place <= PLACES[-1]:
            raise ValueError(f"{name} {place!r} is not a number from {PLACES[0]} to {PLACES[-1]}")
        features.append(place / 100)
    for name, values in KINDS.items():
        value = thing[name]
        value = value.lower() if isinstance(value, str) else value
        if value not in values:
            raise ValueError(f"{name} {value!r} is none of {', '.join(map(str, values))}")
        features += [float(value == each) for each in values]
    return features


class Pictures:
    """The pictures of a split, in folders or in archives.

    Raises:
        MalformedData: an archive is not whole.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.folder, self.split = folder, split
        self._found: dict[str, tuple[ZipFile | None, str]] = {}
        for file in pictures_of(folder, split):
            self._found[file.name] = (None, str(file))
        for archive in map(open_zip, archives_of(folder, split)):
            for name in archive.namelist():
                self._found[name.rpartition("/")[2]] = (archive, name)

    def boxes(self, example: Example) -> np.ndarray:
        """uint8 [3, 50, 50, 3]

        Raises:
            MalformedData: the picture is not there, or is none.
        """
        name = f"{self.split}-{example.identifier}-0.png"
        if name not in self._found:
            raise MalformedData(
                f"{self.folder}: no picture {name} in {self.split}/images, "
                f"nor in images_{self.split}*.zip."
            )
        archive, path = self._found[name]
        size = (8 * SIDE, 2 * SIDE)
        if archive is None:
            picture = read_picture(Path(path), size)
        else:
            picture = picture_in(archive, path, size)
        halved = np.asarray(picture.convert("RGB").reduce(2))
        return np.stack([halved[:, left : left + SIDE] for left in (0, 75, 150)])


def archives_of(folder: Path, split: str) -> list[Path]:
    """The archives that may hold pictures of a split."""
    return sorted(folder.glob(f"images_{split}*.zip"))


def pictures_of(folder: Path, split: str) -> list[Path]:
    """The pictures of a split in folders."""
    return sorted(folder.glob(f"{split}/images/*/*.png"))
