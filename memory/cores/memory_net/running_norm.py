"""Batch normalisation by running statistics, the same in acting and in learning."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RunningNorm(nn.Module):
    """Normalise features by running statistics, which only `absorb` updates.

    An actor sees a few lanes of one time, a learner whole unrolls: with the statistics of the batch
    they would compute different functions from equal weights.
    """

    def __init__(self, features: int, momentum: float, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Normalise by the statistics so far."""
        return self._normalise(x, self.mean, self.variance)

    def by_batch(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Normalise by the statistics of the batch itself, through which gradient flows."""
        rows = self._rows(x)
        return self._normalise(x, rows.mean(dim=0), rows.var(dim=0, correction=0))

    @torch.no_grad()
    def absorb(self, x: Float[Tensor, "*B D"]) -> None:
        """Move the statistics towards those of a batch."""
        rows = self._rows(x)
        self.mean.lerp_(rows.mean(dim=0), self.momentum)
        self.variance.lerp_(rows.var(dim=0, correction=0), self.momentum)

    @torch.no_grad()
    def merge(self, average: Callable[[Sequence[Tensor]], None]) -> None:
        """Combine the statistics of processes that each absorbed an equal share of a batch.

        The variance of the batch is the mean of the shares' variances plus the variance of their
        means. Statistics that no process moved stay.

        Args:
            average: replaces tensors by their means over the processes.
        """
        own = self.mean.clone()
        average([self.mean, self.variance])
        spread = (own - self.mean).square()  # momentum^2 times that of the shares' means
        average([spread])
        self.variance += spread / self.momentum

    def _rows(self, x: Tensor) -> Tensor:
        """In the precision of the statistics, whatever that of the rest."""
        return x.flatten(0, -2).to(self.mean.dtype)

    def _normalise(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        scale = self.weight * torch.rsqrt(variance + self.epsilon)
        return torch.addcmul(self.bias, x - mean, scale)
