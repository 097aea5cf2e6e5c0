"""Multi-head dot-product attention over rows, as the relational memory core uses it.

Source: the RelationalMemory of Sonnet 1, `_multihead_attention` and `_attend_over_memory`. Queries,
keys and values come from one projection, normalised over the features of all heads together; heads
are concatenated with no projection after them.
"""

# pyright: standard

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memory.layers.initialisation import linear
from memory.observed import Observed


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Sizes of the attention heads."""

    count: int
    key_size: int
    value_size: int
    scale: float
    """What the scores are multiplied by."""

    @property
    def width(self) -> int:
        """Width of a row of memory: the values of all heads, side by side."""
        return self.count * self.value_size

    @property
    def projection(self) -> int:
        """Width of the queries, keys and values of all heads."""
        return self.count * (2 * self.key_size + self.value_size)


class Attend(nn.Module):
    """Weighted mean of values."""

    def __init__(self, scale: float, rows: Sequence[str]) -> None:
        super().__init__()
        self.scale = scale
        self.weights = Observed(head=(), query=rows, key=rows)

    def forward(
        self,
        queries: Float[Tensor, "B K Q key"],
        keys: Float[Tensor, "B K N key"],
        values: Float[Tensor, "B K N value"],
    ) -> Float[Tensor, "B K Q value"]:
        """What each query reads."""
        scores = self.scale * queries @ keys.transpose(-1, -2)
        return self.weights(torch.softmax(scores, dim=-1)) @ values


class AttentionBlock(nn.Module):
    """One round of attention over rows, and the norms around it and around the perceptron.

    Args:
        rows: names of the rows, for those who draw the weights.
    """

    def __init__(self, heads: Heads, rows: Sequence[str] = ()) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = linear(heads.width, heads.projection)
        self.qkv_norm = nn.LayerNorm(heads.projection)
        self.attend = Attend(heads.scale, rows)
        self.attention_norm = nn.LayerNorm(heads.width)
        self.mlp_norm = nn.LayerNorm(heads.width)

    def project(self, rows: Float[Tensor, "*B N D"]) -> Float[Tensor, "*B N P"]:
        """Queries, keys and values of each row, normalised over that row."""
        return self.qkv_norm(self.qkv(rows))

    def forward(
        self, rows: Float[Tensor, "B Q D"], projected: Float[Tensor, "B N P"], mlp: nn.Module
    ) -> Float[Tensor, "B Q D"]:
        """Let `rows`, the first of those `projected`, attend to all of them."""
        rows = self.attention_norm(rows + self._read(rows.shape[1], projected))
        return self.mlp_norm(rows + mlp(rows))

    def _read(self, asking: int, projected: Float[Tensor, "B N P"]) -> Float[Tensor, "B Q D"]:
        heads = self.heads
        by_head = projected.unflatten(-1, (heads.count, -1)).transpose(1, 2)  # [B, K, N, ...]
        sizes = [heads.key_size, heads.key_size, heads.value_size]
        queries, keys, values = by_head.split(sizes, dim=-1)
        read = self.attend(queries[:, :, :asking], keys, values)
        return read.transpose(1, 2).flatten(2)
