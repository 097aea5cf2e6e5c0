"""The order of training examples of different lengths, and their padding."""

# pyright: reportUnknownMemberType=false

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.random import default_rng
from torch import Tensor

from memory.supervised.task import random_source

POOL = 50
"""Batches whose examples are sorted by length together."""


class Epochs:
    """Selects the examples of training batches: each once per epoch, of similar length in a batch.

    Args:
        lengths: of the examples `[N]`.
    """

    def __init__(self, lengths: np.ndarray, seed: int) -> None:
        self.lengths, self.seed = lengths, seed
        self._pool: tuple[tuple[int, int], np.ndarray] = ((-1, 0), lengths[:0])

    def batch(self, number: int, size: int) -> np.ndarray:
        """The numbers of its examples `[size]`."""
        pool, within = divmod(number, POOL)
        if self._pool[0] != (pool, size):
            self._pool = ((pool, size), self._sorted(pool, size))
        return self._pool[1][within]

    def _sorted(self, pool: int, size: int) -> np.ndarray:
        """Batches `[POOL, size]`, in random order."""
        count = POOL * size
        epochs, within = np.divmod(np.arange(pool * count, (pool + 1) * count), len(self.lengths))
        chosen = np.concatenate(
            [self._shuffled(e)[within[epochs == e]] for e in np.unique(epochs).tolist()]
        )
        chosen = chosen[np.argsort(self.lengths[chosen], kind="stable")]
        random = default_rng(random_source(self.seed, "train", pool).spawn(1)[0])
        return random.permutation(chosen.reshape(POOL, size))

    def _shuffled(self, epoch: int) -> np.ndarray:
        random = default_rng(random_source(self.seed, "train", epoch))
        return random.permutation(len(self.lengths))


class FlushRight:
    """Pads rows of different lengths on the left, so that they end together.

    Args:
        lengths: of the rows `[B]`.
    """

    def __init__(self, lengths: np.ndarray) -> None:
        steps, self.columns = int(lengths.max()), np.repeat(np.arange(len(lengths)), lengths)
        self.shape = (steps, len(lengths))
        ends = np.repeat(np.cumsum(lengths), lengths)
        self.rows: np.ndarray = np.arange(int(lengths.sum())) - ends + steps
        self.starts = steps - lengths

    def place(self, values: np.ndarray, padding: int = 0) -> Int[Tensor, "T B *rest"]:
        """Pad the values of all rows, given one row after the other `[sum of lengths, ...]`."""
        out = np.full((*self.shape, *values.shape[1:]), padding, dtype=np.int64)
        out[self.rows, self.columns] = values
        return torch.from_numpy(out)

    @property
    def is_inside(self) -> Bool[Tensor, "T B"]:
        """The steps that are not padding."""
        return self.place(np.ones(len(self.rows))).bool()

    @property
    def resets(self) -> Bool[Tensor, "T B"]:
        """The first step of each row."""
        steps = np.arange(self.shape[0])[:, None]
        return torch.from_numpy(steps == self.starts)
