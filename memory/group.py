"""Processes that train one network, each on its share of every batch, and their collectives.

All processes run the same code and call the same collectives in the same order; where one has to
decide for all, it is the process of rank 0, whose numbers reach the others by `broadcast`.
"""

# pyright: standard

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


class Group:
    """A single process; its collectives return what they are given."""

    rank: int = 0
    """Index of this process; 0 decides."""
    size: int = 1
    """Number of processes."""

    def lanes(self, count: int, rank: int | None = None) -> slice:
        """The sequences of a batch of `count` that a process trains on; this one by default."""
        rank = self.rank if rank is None else rank
        return slice(count * rank // self.size, count * (rank + 1) // self.size)

    def broadcast(self, values: Sequence[float]) -> list[float]:
        """The values that rank 0 gives; all processes give as many."""
        return list(values)

    def largest(self, values: Sequence[float]) -> list[float]:
        """The largest value of any process at each place; all processes give as many."""
        return list(values)

    def all_reduce(self, tensors: Sequence[Tensor], weight: float) -> None:
        """Replace tensors by their weighted sums over all processes, each with its own weight."""

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes."""
        self.all_reduce(tensors, 1 / self.size)

    def gather_rows(self, rows: Tensor) -> Tensor:
        """Join the rows `[n, ...]` of all processes, each with its own n, by rank."""
        return rows

    def all_gather(self, leaves: Sequence[Tensor], count: int) -> list[Tensor]:
        """Join the shares of tensors `[B, ...]` of a batch of `count` sequences."""
        return list(leaves)


class DistributedGroup(Group):
    """The processes of `torch.distributed`, which must be initialised."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device = "cuda" if dist.get_backend() == "nccl" else "cpu"

    def broadcast(self, values: Sequence[float]) -> list[float]:
        """The values that rank 0 gives; all processes give as many."""
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(tensor, src=0)
        return tensor.tolist()

    def largest(self, values: Sequence[float]) -> list[float]:
        """The largest value of any process at each place; all processes give as many."""
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tensor.tolist()

    def gather_rows(self, rows: Tensor) -> Tensor:
        """Join the rows `[n, ...]` of all processes, each with its own n, by rank, on the CPU."""
        counts = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        counts[self.rank] = len(rows)
        dist.all_reduce(counts)
        return self._joined(rows, [int(count) for count in counts.tolist()])

    def all_reduce(self, tensors: Sequence[Tensor], weight: float) -> None:
        """Replace tensors by their weighted sums over all processes, in one message."""
        if not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors]) * weight
        dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def all_gather(self, leaves: Sequence[Tensor], count: int) -> list[Tensor]:
        """Join the shares of tensors `[B, ...]` of a batch of `count` sequences, on the CPU."""
        lanes = [self.lanes(count, rank) for rank in range(self.size)]
        sizes = [part.stop - part.start for part in lanes]
        return [self._joined(leaf, sizes) for leaf in leaves]

    def _joined(self, leaf: Tensor, sizes: Sequence[int]) -> Tensor:
        """Shares of different sizes are padded to the largest: `all_gather` needs equal shapes."""
        padded = leaf.new_zeros(max(sizes), *leaf.shape[1:], device=self.device)
        padded[: len(leaf)] = leaf
        shares = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(shares, padded)
        return torch.cat([share[:size] for share, size in zip(shares, sizes, strict=True)]).cpu()
