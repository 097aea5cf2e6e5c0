"""A small network over all pairs of rows, summed: the relation network's g.

Source: Santoro et al., "A simple neural network module for relational reasoning" (2017), equation
1, with the question q given to every pair:

    sum over i, j of  g([o_i; o_j; q])        all ordered pairs, those of a row with itself too

The first layer of g is linear in what is joined, so its three parts are applied to the rows and to
the question before they are paired, and the results added: the same numbers, without N² long
vectors. The rest of g runs once per pair.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from memory.layers.initialisation import linear
from memory.observed import Observed


class Pairs(nn.Module):
    """Rectified linear layers applied to every ordered pair of rows with the question."""

    def __init__(self, width: int, layers: int, units: int) -> None:
        super().__init__()
        self.first = linear(3 * width, units)
        rest = [module for _ in range(layers - 1) for module in (linear(units, units), nn.ReLU())]
        self.rest = nn.Sequential(*rest)
        self.related = Observed(row=(), other=(), unit=())

    def forward(
        self,
        rows: Float[Tensor, "B N D"],
        question: Float[Tensor, "B D"],
        weights: Float[Tensor, "B N N"] | None = None,
    ) -> Float[Tensor, "B U"]:
        """Sum over all pairs (i, j), each counted as often as its weight says, or once."""
        one, other, asked = self.first.weight.chunk(3, dim=1)
        shared = functional.linear(question, asked, self.first.bias)
        ones = functional.linear(rows, one) + shared.unsqueeze(1)
        pairs = ones.unsqueeze(2) + functional.linear(rows, other).unsqueeze(1)  # [B, N, N, U]
        related = self.related(self.rest(torch.relu(pairs))).flatten(1, 2)
        if weights is None:
            return related.sum(1)
        return (weights.flatten(1).unsqueeze(1) @ related).squeeze(1)
