"""Actions of any supported space as one array of numbers per environment."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from envs.spaces.leaves import MAX_CATEGORIES, MAX_RANGE

SUPPORTED = "Discrete, MultiDiscrete, MultiBinary, Box, and Dict and Tuple of these"


class ActionPart(NamedTuple):
    """Numbers of a packed action with one distribution."""

    num_choices: int
    """Of a category; 0 for real numbers."""
    size: int
    """1 for a category, else how many real numbers."""


class PackedAction(spaces.Box):
    """float32 `[size]` that hold an action of another space.

    Categories are integers from 0; integers of a `Box` with a small range are categories. Real
    numbers with finite bounds, and other integers unless their bounds are those of the type, are in
    [-1, 1], which stands for their bounds. All others stand for themselves. Integers are rounded.

    Args:
        squash: real numbers are inside (-1, 1). Otherwise they are clipped by `unpack`.

    Raises:
        ValueError: names the space that is not supported.
    """

    def __init__(self, original: spaces.Space, squash: bool) -> None:
        self.original, self.squash = original, squash
        self.parts = list(_parts_of(original))
        low, high = list[float](), list[float]()
        for part in self.parts:
            # Rounded down, a number drawn uniformly is a category drawn uniformly.
            top = np.nextafter(np.float32(part.num_choices), np.float32(0))
            low += [0.0 if part.num_choices else -1.0] * part.size
            high += [float(top) if part.num_choices else 1.0] * part.size
        super().__init__(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)

    def unpack(self, numbers: np.ndarray) -> Any:
        """The action of the original space."""
        return _unpack(self.original, iter(numbers.tolist()))


def _parts_of(space: spaces.Space) -> Iterator[ActionPart]:
    match space:
        case spaces.Discrete():
            yield ActionPart(int(space.n), 1)
        case spaces.MultiDiscrete():
            yield from (ActionPart(int(n), 1) for n in space.nvec.ravel())
        case spaces.MultiBinary():
            yield from [ActionPart(2, 1)] * int(np.prod(space.shape))
        case spaces.Box() if _is_categorical(space):
            yield from (ActionPart(int(n) + 1, 1) for n in _span(space).ravel())
        case spaces.Box() if space.dtype.kind in "fiu":
            yield ActionPart(0, int(np.prod(space.shape)))
        case spaces.Dict() | spaces.Tuple():
            for part in _children(space):
                yield from _parts_of(part)
        case _:
            raise ValueError(f"action space {space} is not supported: expected {SUPPORTED}.")


def _span(space: spaces.Box) -> np.ndarray:
    return space.high.astype(float) - space.low.astype(float)


def _is_categorical(space: spaces.Box) -> bool:
    """Whether numbers are integers in a small range."""
    return space.dtype.kind in "iu" and bool((_span(space) < MAX_CATEGORIES).all())


def _children(space: spaces.Dict | spaces.Tuple) -> Sequence[spaces.Space]:
    return list(space.values()) if isinstance(space, spaces.Dict) else list(space)


def _unpack(space: spaces.Space, numbers: Iterator[float]) -> Any:
    match space:
        case spaces.Discrete():
            return space.start + np.int64(next(numbers))
        case spaces.MultiDiscrete():
            choices = [int(next(numbers)) for _ in range(space.nvec.size)]
            start = np.asarray(space.start)
            return (start + np.reshape(choices, space.nvec.shape)).astype(space.dtype)
        case spaces.MultiBinary():
            bits = [int(next(numbers)) for _ in range(int(np.prod(space.shape)))]
            return np.reshape(bits, space.shape).astype(space.dtype)
        case spaces.Dict():
            return {key: _unpack(part, numbers) for key, part in space.items()}
        case spaces.Tuple():
            return tuple(_unpack(part, numbers) for part in space)
        case spaces.Box():
            values = np.reshape([next(numbers) for _ in range(space.low.size)], space.shape)
            return _within(space, values)
        case _:
            raise TypeError(f"{space} has no parts")


def _within(space: spaces.Box, values: np.ndarray) -> np.ndarray:
    """Packed numbers as an action within the bounds; integers are rounded."""
    low, high = space.low.astype(float), space.high.astype(float)
    if _is_categorical(space):
        return np.asarray(low + values, space.dtype)
    bounded = np.isfinite(low) & np.isfinite(high)
    if space.dtype.kind != "f":
        bounded &= _span(space) <= MAX_RANGE
    bottom, top = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
    values = bottom + (values + 1) / 2 * (top - bottom)
    if space.dtype.kind != "f":
        values = np.rint(values)
    return np.asarray(np.clip(values, low, high), space.dtype)
