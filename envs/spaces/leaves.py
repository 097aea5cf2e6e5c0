"""Leaves of an observation space, and how each is read as numbers for a network."""

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import spaces

Scale = Literal["auto", "bounds", "none", "categories"]
Kind = Literal["picture", "planes", "numbers", "one-hot", "words", "mask"]

SUPPORTED = "Box, Discrete, MultiDiscrete, MultiBinary, Text, and Dict and Tuple of these"
MAX_RANGE = 2**16
"""Integers with a larger range are not scaled: their bounds are those of the type."""
MAX_CATEGORIES = 256
"""Integers with a larger range are not categories."""
MIN_SIDE = 5
"""Bytes of two dimensions with a shorter side are numbers, not a picture."""
MAX_WORDS = 64
"""Words and pairs of words that are read of a text."""
VOCABULARY = 4096
"""Size of the table of words; 0 is no word."""


class Leaf(NamedTuple):
    """One leaf of an observation space."""

    keys: tuple[str | int, ...]
    """The way to it from the root."""
    kind: Kind
    shape: tuple[int, ...]
    """Of what `read` returns: `[H, W, C]` for a picture or planes of categories, else `[K]`."""
    dtype: type
    """Of what `read` returns."""
    low: float = 0.0
    span: float = 1.0
    """A network takes `(x - low) / span`."""
    sizes: tuple[int, ...] = ()
    """Number of categories of each channel of planes, or of each number of a one-hot leaf."""
    starts: Any = 0
    """The smallest category, one for all or for each."""
    axes: tuple[int, ...] | None = None
    """Axes of a picture in the order height, width, channels; None leaves them as they are."""

    @property
    def path(self) -> str:
        """The name of the leaf, such as `image` or `inventory[0]`; empty for the root."""
        return path_of(self.keys)

    def of(self, observation: Any) -> Any:
        """The value of this leaf in an observation."""
        for key in self.keys:
            observation = observation[key]
        return observation

    def read(self, value: Any) -> np.ndarray:
        """The value as an array of the leaf's shape and type."""
        if self.kind == "words":
            return word_numbers(value)
        array = np.asarray(value)
        if self.axes:
            array = array.transpose(self.axes)
        array = array.reshape(self.shape)
        if self.sizes:
            # np.clip takes twice as long for a few numbers.
            array = np.minimum(np.maximum(array - self.starts, 0), np.subtract(self.sizes, 1))
        return np.ascontiguousarray(array, self.dtype)

    @property
    def _categories(self) -> str:
        if len(self.sizes) == 1:
            return f"one of {self.sizes[0]} categories"
        return f"{len(self.sizes)} numbers of up to {max(self.sizes, default=0)} categories"

    def __str__(self) -> str:
        """What a network takes of this leaf, in words."""
        size = " x ".join(map(str, self.shape))
        text = {
            "picture": f"picture, {size} (height, width, channels)",
            "planes": f"{size} (height, width, channels) categories, embedded",
            "numbers": f"{size} numbers",
            "one-hot": f"{self._categories}, one-hot",
            "words": f"text, its first {MAX_WORDS} words and pairs of words embedded",
            "mask": "mask of actions",
        }[self.kind]
        if self.axes and self.axes[0] != 0:
            text += ", read as channels first"
        elif self.kind in ("picture", "planes"):
            text += ", read as channels last"
        if (self.low, self.span) != (0.0, 1.0):
            text += f", {self.low:g} to {self.low + self.span:g} scaled to 0 to 1"
        elif self.kind in ("picture", "numbers"):
            text += ", not scaled"
        return f"{self.path or 'observation'}: {text}"


def path_of(keys: tuple[str | int, ...]) -> str:
    """The name of a leaf or branch, such as `image` or `inventory[0]`."""
    words = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return "".join(words).removeprefix(".")


class Reading(NamedTuple):
    """How the leaves of a space are to be read."""

    channels_first: bool | None = None
    """Axis order of pictures. None decides by the shape: height and width are the two neighbouring
    axes whose shorter side is the longest, the first of several."""
    scale: Scale = "auto"
    """`bounds` scales every leaf with finite bounds to (0, 1), `none` no leaf, and `categories`
    embeds integers as categories. `auto` scales integers, and pictures of any type, with finite
    bounds."""
    grid_categories: bool = False
    """Bytes with three channels are categories, as in MiniGrid."""

    def leaves(self, space: spaces.Space, keys: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
        """The leaves of a space, in Gymnasium's order.

        Raises:
            ValueError: names the leaf that is not supported.
        """
        match space:
            case spaces.Dict():
                for key, part in space.items():
                    yield from self.leaves(part, (*keys, key))
            case spaces.Tuple():
                for i, part in enumerate(space):
                    yield from self.leaves(part, (*keys, i))
            case spaces.Box():
                yield self._box(space, keys)
            case spaces.Discrete():
                yield _one_hot(keys, np.array([space.n]), np.array([space.start]))
            case spaces.MultiDiscrete():
                yield _one_hot(keys, space.nvec.ravel(), np.asarray(space.start).ravel())
            case spaces.MultiBinary():
                yield Leaf(keys, "numbers", (int(np.prod(space.shape)),), np.uint8)
            case _ if space.dtype is not None and space.dtype.kind == "U":
                yield Leaf(keys, "words", (MAX_WORDS,), np.int32)
            case _:
                where = f", leaf {path_of(keys)}," if keys else ""
                raise ValueError(
                    f"observation space{where} {space} is not supported: expected {SUPPORTED}."
                )

    def _box(self, space: spaces.Box, keys: tuple[str | int, ...]) -> Leaf:
        if 0 in space.shape:
            where = f", leaf {path_of(keys)}," if keys else ""
            raise ValueError(f"observation space{where} {space} has no numbers.")
        axes = picture_axes(space, self.channels_first)
        shape, is_whole = space.shape, space.dtype.kind in "iub"
        low, high = float(np.min(space.low)), float(np.max(space.high))
        span = high - low
        if axes is not None:
            picture = [shape[axis] for axis in axes]
            shape = (picture[0], picture[1], int(np.prod(picture[2:])))
            axes = None if axes == tuple(range(len(axes))) else axes
        else:
            shape = (int(np.prod(shape)),)
        is_picture = len(shape) == 3
        categories = self.scale == "categories" or (
            self.scale == "auto" and self.grid_categories and is_picture and shape[-1] == 3
        )
        if categories and is_whole and span < MAX_CATEGORIES:
            sizes = (int(span) + 1,) * shape[-1]
            kind: Kind = "planes" if is_picture else "one-hot"
            return Leaf(keys, kind, shape, np.int32, sizes=sizes, starts=int(low), axes=axes)
        dtype = np.uint8 if is_whole and low >= 0 and high <= 255 else np.float32
        scales = self.scale == "bounds" or (self.scale == "auto" and (is_whole or is_picture))
        if not scales or not 0 < span <= (MAX_RANGE if is_whole else np.finfo(np.float32).max):
            low, span = 0.0, 1.0
        return Leaf(
            keys, "picture" if is_picture else "numbers", shape, dtype, low, span, axes=axes
        )


def picture_axes(space: spaces.Box, channels_first: bool | None = None) -> tuple[int, ...] | None:
    """Axes of a picture in the order height, width, and all others; None if it is no picture.

    Boxes of three or four dimensions are pictures, and so are bytes of two dimensions.
    """
    shape, rank = space.shape, len(space.shape)
    if rank == 2 and space.dtype == np.uint8 and min(shape) >= MIN_SIDE:
        return (0, 1)
    if rank not in (3, 4):
        return None
    shorter_sides = [min(pair) for pair in pairwise(shape)]
    if channels_first is None:
        height = int(np.argmax(shorter_sides))
    else:
        height = rank - 2 if channels_first else int(np.argmax(shorter_sides[:-1]))
    others = [axis for axis in range(rank) if axis not in (height, height + 1)]
    return (height, height + 1, *others)


def is_read_as_it_is(space: spaces.Space[Any], leaves: list[Leaf]) -> bool:
    """Whether a network takes observations of this space without packing.

    True for pictures of bytes with the channels last, for numbers that are not scaled, and for
    `Discrete`.
    """
    if len(leaves) != 1 or leaves[0].keys:
        return False
    (leaf,) = leaves
    if leaf.kind == "picture":
        return leaf.shape == space.shape and leaf.dtype is np.uint8 and leaf.span == 255
    is_plain = (leaf.low, leaf.span) == (0.0, 1.0) and leaf.dtype is np.float32
    is_plain = is_plain and leaf.kind == "numbers"
    return is_plain or isinstance(space, spaces.Discrete)


@lru_cache(maxsize=1024)
def word_numbers(text: str) -> np.ndarray:
    """Numbers of the first words of a text, then of its pairs of words; int32 `[MAX_WORDS]`, not
    to be written to.

    The number of a word is a hash: there is no table of words to be kept with the weights.
    """
    words = re.findall(r"\w+", text.lower())
    tokens = [*words, *(" ".join(pair) for pair in pairwise(words))][:MAX_WORDS]
    numbers = np.zeros(MAX_WORDS, np.int32)
    numbers[: len(tokens)] = [1 + zlib.crc32(t.encode()) % (VOCABULARY - 1) for t in tokens]
    numbers.flags.writeable = False  # the cache returns the same array again
    return numbers


def _one_hot(keys: tuple[str | int, ...], sizes: np.ndarray, starts: np.ndarray) -> Leaf:
    return Leaf(keys, "one-hot", sizes.shape, np.int32, sizes=tuple(sizes.tolist()), starts=starts)
