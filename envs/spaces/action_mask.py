"""Masks of actions, which environments give as `info["action_mask"]`."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

ACTION_MASK = "action_mask"
"""The key of a mask in an info."""
Masks = Literal["used", "ignored", "absent"]
"""What is done with masks."""


class ActionMask:
    """Reads the masks of a `Discrete` or `MultiDiscrete` space, in the form of Gymnasium: 1 or True
    where an action is allowed, one array or, for `MultiDiscrete`, also a tuple of arrays.

    Args:
        space: as the environment declares it.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.sizes: list[int]
        """Number of actions of each part."""
        match space:
            case spaces.Discrete():
                self.sizes = [int(space.n)]
            case spaces.MultiDiscrete():
                self.sizes = space.nvec.ravel().tolist()
            case _:
                raise ValueError(f"{space} has no masks: expected Discrete or MultiDiscrete.")

    @property
    def size(self) -> int:
        """Length of a mask."""
        return sum(self.sizes)

    def read(self, mask: Any) -> np.ndarray:
        """The mask as uint8 `[size]`; None allows all.

        Raises:
            ValueError: the mask has another size, other values, or allows nothing.
        """
        if mask is None:
            return np.ones(self.size, np.uint8)
        try:
            flat = np.concatenate([np.zeros(0, np.uint8), *map(np.ravel, _parts(mask))])
        except ValueError:
            flat = np.zeros(0)
        if flat.size != self.size or not np.isin(flat, (0, 1)).all():
            raise ValueError(
                f"info[{ACTION_MASK!r}] is {mask!r}; expected {self.size} numbers, 0 or 1"
            )
        flat = flat.astype(np.uint8)
        for number, part in enumerate(self.split(flat)):
            if not part.any():
                which = f" of part {number}" if len(self.sizes) > 1 else ""
                raise ValueError(f"info[{ACTION_MASK!r}] allows none of the actions{which}")
        return flat

    def split(self, flat: np.ndarray) -> list[np.ndarray]:
        """The masks of the parts, from `[..., size]`."""
        return np.split(flat, np.cumsum(self.sizes)[:-1], axis=-1)


def is_maskable(space: spaces.Space[Any]) -> bool:
    """Whether actions of this space can be masked."""
    return isinstance(space, spaces.Discrete | spaces.MultiDiscrete)


def mask_in(info: Any) -> Any:
    """The mask in an info; None if there is none."""
    return info.get(ACTION_MASK) if isinstance(info, Mapping) else None


def _parts(mask: Any) -> list[Any]:
    """The arrays of a mask, which may be nested in tuples."""
    if not isinstance(mask, tuple | list):
        return [mask]
    return [array for part in mask for array in _parts(part)]
