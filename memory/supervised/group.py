"""Processes that learn from one batch together, each from its share of the sequences.

The first leads: it alone validates, and decides what comes next. What all have to do it announces,
and the others follow. The loss is the mean over the scored steps of the whole batch, so gradients
are weighed by the scored steps of each share and added up; they are the same everywhere, and with
them the weights. Statistics of batches are those of each share, averaged.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from memory.supervised.batch import Batch

END = "end"


class Group:
    """A process by itself, which leads nobody."""

    rank: int = 0
    """Of this process; 0 leads."""
    size: int = 1

    def lanes(self, count: int) -> slice:
        """The sequences of so many that this process learns from."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def share(self, batch: Batch) -> tuple[Batch, float]:
        """Its part of a batch, and the part of the scored steps that it has."""
        if self.size == 1:
            return batch, 1.0
        part = batch.part(self.lanes(batch.loss_mask.shape[1]))
        return part, (part.loss_mask.sum() / batch.loss_mask.sum()).item()

    def announce(self, name: str, *arguments: Any) -> None:
        """Have the others do what this process is about to do, if it leads."""

    def add_up(self, tensors: Sequence[Tensor], weight: float) -> None:
        """Put the weighted sums over all processes in the place of tensors."""

    def join(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """The leaves of all sequences, of those of each process."""
        return list(leaves)


class Together(Group):
    """One of several processes of `torch.distributed`, which has been initialised."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def announce(self, name: str, *arguments: Any) -> None:
        """Have the others do what this process is about to do, if it leads."""
        if self.rank == 0:
            dist.broadcast_object_list([(name, arguments)])

    def hear(self) -> tuple[str, tuple[Any, ...]]:
        """What the leader announces next."""
        heard: list[Any] = [None]
        dist.broadcast_object_list(heard)
        return heard[0]

    def add_up(self, tensors: Sequence[Tensor], weight: float) -> None:
        """Put the weighted sums over all processes in the place of tensors, in one message."""
        if not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors]) * weight
        dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def join(self, leaves: Sequence[Tensor]) -> list[Tensor]:
        """The leaves of all sequences, of those of each process, on the CPU."""
        everywhere: list[Any] = [None] * self.size
        dist.all_gather_object(everywhere, [leaf.cpu() for leaf in leaves])
        return [torch.cat(parts) for parts in zip(*everywhere, strict=True)]
