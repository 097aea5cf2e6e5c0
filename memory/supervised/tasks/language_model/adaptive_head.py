"""Adaptive softmax: frequent classes first, rare ones in clusters of narrower vectors.

Source: Grave et al., "Efficient softmax approximation for GPUs" (2017); the weights are those of
torch.nn.AdaptiveLogSoftmaxWithLoss. Classes must be in the order of their frequency. The weights
are not those of the embedding.

Where steps are many, logits are made for some at a time, and made again on the way back.
"""

# pyright: standard

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from memory.supervised.head import Answered, Head
from memory.supervised.tasks.language_model.tied_head import LOGITS_AT_ONCE, projected

NONE = -1
"""Instead of a guess; no class."""


class AdaptiveHead(Head):
    """Dropout, a projection where one is needed, and an adaptive softmax.

    Args:
        inner: width of the cluster of the most frequent classes; a quarter of it the next...
        cutoffs: the first class of each cluster.
    """

    branches_on_data = True

    def __init__(
        self,
        width: int,
        readout: Sequence[int],
        inner: int,
        num_classes: int,
        cutoffs: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.project = projected(width, readout, inner)
        self.rows_at_once = max(1, 8 * LOGITS_AT_ONCE // num_classes)
        """Few of them need the logits of a rare cluster."""
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(inner, num_classes, list(cutoffs))

    def forward(self, hidden: Float[Tensor, "S D"]) -> Float[Tensor, "S C"]:
        """Log-probabilities of every class."""
        return self.softmax.log_prob(self.project(self.dropout(hidden)).float())

    def answer(self, hidden: Float[Tensor, "S D"], targets: Int[Tensor, " S"]) -> Answered:
        """Losses, and guesses among the frequent classes.

        No rare class is guessed, which would cost the whole softmax: where a cluster is likelier
        than every frequent class, the guess is none.
        """
        rows = self.project(self.dropout(hidden))
        if len(rows) <= self.rows_at_once:
            return self._answer(rows, targets)
        pairs = zip(rows.split(self.rows_at_once), targets.split(self.rows_at_once), strict=True)
        parts = [checkpoint(self._answer, *pair, use_reentrant=False) for pair in pairs]
        return Answered(*map(torch.cat, zip(*parts, strict=True)))

    def _answer(self, rows: Float[Tensor, "S E"], targets: Int[Tensor, " S"]) -> Answered:
        frequent = self.softmax.cutoffs[0]
        logits = self.softmax.head(rows).float()
        of_head, within = targets.clone(), torch.zeros_like(logits[:, 0])
        for index, (low, high) in enumerate(pairwise(self.softmax.cutoffs)):
            (members,) = ((targets >= low) & (targets < high)).nonzero(as_tuple=True)
            of_head[members] = frequent + index
            tail = self.softmax.tail[index](rows[members]).float()
            losses = functional.cross_entropy(tail, targets[members] - low, reduction="none")
            within = within.index_add(0, members, losses)
        losses = functional.cross_entropy(logits, of_head, reduction="none") + within
        guesses = logits.argmax(dim=1)
        return Answered(losses, guesses.where(guesses < frequent, NONE))
