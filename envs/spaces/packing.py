"""Observations of any supported space as one array of bytes per environment.

A vector environment, a trajectory and a queue then hold one array, whatever the space; a network
unpacks it by slices.
"""

from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from envs.spaces.leaves import Leaf

ALIGNMENT = 8
"""Bytes; every leaf starts at a multiple, so that its slice can be viewed as any type."""


class Slot(NamedTuple):
    """Where the bytes of a leaf are."""

    leaf: Leaf
    start: int
    stop: int


class PackedObservation(spaces.Box):
    """Bytes `[size]` that hold the leaves of an observation.

    Args:
        leaves: from `Reading.leaves`.
        num_masked: length of the mask of actions that follows the leaves; 0 for none.
    """

    def __init__(self, leaves: list[Leaf], num_masked: int = 0) -> None:
        self.slots: list[Slot] = []
        mask = [Leaf(("action_mask",), "mask", (num_masked,), np.uint8)] if num_masked else []
        size = 0
        for leaf in [*leaves, *mask]:
            stop = size + int(np.prod(leaf.shape)) * np.dtype(leaf.dtype).itemsize
            self.slots.append(Slot(leaf, size, stop))
            size = -(-stop // ALIGNMENT) * ALIGNMENT
        self.mask_slot = self.slots.pop() if mask else None
        super().__init__(0, 255, (size,), np.uint8)

    def pack(self, observation: Any, mask: np.ndarray | None = None) -> np.ndarray:
        """The bytes of an observation, and of the mask of its actions; None allows all."""
        packed = np.zeros(self.shape, np.uint8)
        for leaf, start, stop in self.slots:
            packed[start:stop] = leaf.read(leaf.of(observation)).reshape(-1).view(np.uint8)
        if self.mask_slot:
            packed[self.mask_slot.start : self.mask_slot.stop] = 1 if mask is None else mask
        return packed
