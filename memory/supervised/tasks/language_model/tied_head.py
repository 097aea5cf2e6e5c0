"""Exact softmax over many classes with the embedding matrix as its weights, in little memory.

Source: Press and Wolf, "Using the output embedding to improve language models" (2017); Inan et al.,
"Tying word vectors and word classifiers" (2017). A core that is not as wide as an embedding is
projected to its width.

Logits of all S steps, `[S, V]`, are never held at once: they are made for some steps at a time, and
made again on the way back, which costs a third more products than holding them.
"""

# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from memory.supervised.head import Answered, Head, rectified

LOGITS_AT_ONCE = 2**24
"""64 MiB of them."""


def projected(width: int, readout: Sequence[int], wanted: int) -> nn.Module:
    """Rectified layers, if any, from the width of a core to the one wanted."""
    return rectified((width, *readout, wanted)) if readout or width != wanted else nn.Identity()


class TiedHead(Head):
    """Dropout, a projection where one is needed, and the embedding matrix.

    Args:
        embedding: whose weights are shared, `[V, E]`.
    """

    def __init__(
        self, width: int, readout: Sequence[int], embedding: nn.Embedding, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.project = projected(width, readout, embedding.embedding_dim)
        self.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def forward(self, hidden: Float[Tensor, "S D"]) -> Float[Tensor, "S C"]:
        """Logits of every class."""
        return functional.linear(self.project(self.dropout(hidden)), self.weight, self.bias)

    def answer(self, hidden: Float[Tensor, "S D"], targets: Int[Tensor, " S"]) -> Answered:
        """Losses and guesses, some steps at a time."""
        rows = self.project(self.dropout(hidden))
        kind = rows.device.type
        half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
        with torch.autocast(kind, enabled=False):
            given = rows.float(), self.weight, self.bias, targets, half
            return Answered(*cast(tuple[Tensor, Tensor], _Losses.apply(*given)))


class _Losses(torch.autograd.Function):
    """Cross-entropy and likeliest class of each row; products of matrices in a precision given."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, half: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        losses, guesses = rows.new_empty(len(rows)), torch.empty_like(targets)
        norms = rows.new_empty(len(rows))
        low = weight.to(half)
        for part in _parts(rows, weight):
            logits = functional.linear(rows[part].to(half), low).float().add_(bias)
            norms[part] = logits.logsumexp(dim=1)
            losses[part] = norms[part] - logits.gather(1, targets[part, None]).squeeze(1)
            guesses[part] = logits.argmax(dim=1)
        ctx.save_for_backward(rows, weight, bias, targets, norms)
        ctx.half = half
        ctx.mark_non_differentiable(guesses)
        return losses, guesses

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]  # as decorated
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        rows, weight, bias, targets, norms = ctx.saved_tensors
        of_rows, of_bias = torch.empty_like(rows), torch.zeros_like(bias)
        of_weight = torch.zeros_like(weight)
        low = weight.to(ctx.half)
        for part in _parts(rows, weight):
            few = rows[part].to(ctx.half)
            logits = functional.linear(few, low).float().add_(bias)
            shares = logits.sub_(norms[part, None]).exp_()
            at = torch.arange(len(few), device=rows.device)
            shares[at, targets[part]] -= 1
            shares.mul_(gradients[0][part, None])
            of_bias += shares.sum(dim=0)
            shares = shares.to(ctx.half)
            of_rows[part] = (shares @ low).float()
            if ctx.half == weight.dtype:
                of_weight.addmm_(shares.t(), few)
            else:
                of_weight += shares.t() @ few
        return of_rows, of_weight, of_bias, None, None


def _parts(rows: Tensor, weight: Tensor) -> Iterator[slice]:
    steps = max(1, LOGITS_AT_ONCE // len(weight))
    return (slice(first, first + steps) for first in range(0, len(rows), steps))
