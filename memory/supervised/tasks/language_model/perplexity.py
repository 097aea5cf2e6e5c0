"""Perplexity: of all words, and apart by how often a word was seen in training.

Source: Santoro et al., "Relational recurrent neural networks" (2018), table 3.
"""

# pyright: reportUnknownMemberType=false

import math
from typing import cast

import numpy as np
import torch

from memory.supervised.batch import Batch
from memory.supervised.head import Answered
from memory.supervised.measure import Measure

BUCKETS = {"above_10k": (10_001, None), "1k_to_10k": (1000, 10_001), "below_1k": (0, 1000)}
"""How often a word was seen: from, and to below."""


class Perplexity(Measure):
    """`perplexity`, its logarithm `loss`, `words`; and perplexity by how often a word was seen.

    Args:
        counts: how often each class was seen in training.
    """

    def __init__(self, counts: np.ndarray) -> None:
        bounds = torch.tensor([low for low, _ in BUCKETS.values() if low]).flip(0)
        self.bucket_of = torch.bucketize(torch.as_tensor(counts), bounds, right=True)
        """Of each class; 0 is the rarest."""
        self.losses = torch.zeros(len(BUCKETS), dtype=torch.double)
        self.words = torch.zeros(len(BUCKETS), dtype=torch.long)

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch."""
        targets = batch.targets[batch.loss_mask].cpu()
        buckets = self.bucket_of[targets]
        self.losses.index_add_(0, buckets, answered.losses.double().cpu())
        self.words += torch.bincount(buckets, minlength=len(BUCKETS))

    def results(self) -> dict[str, float]:
        """Buckets without a word are left out."""
        words = int(self.words.sum())
        loss = self.losses.sum().item() / words
        usual = {"loss": loss, "perplexity": _exp(loss), "words": words}
        losses = cast(list[float], self.losses.tolist())
        counts = cast(list[int], self.words.tolist())
        each = zip(reversed(BUCKETS), losses, counts, strict=True)
        apart = {f"perplexity_{name}": _exp(lost / n) for name, lost, n in each if n}
        return usual | apart


def _exp(loss: float) -> float:
    return math.inf if loss >= 700 else math.exp(loss)
