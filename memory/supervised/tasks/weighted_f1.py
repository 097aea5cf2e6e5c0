"""Weighted F1 over all symbols: what MANN-RL reports.

It is high if most answers are easy: see also the accuracy of those that need memory.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from memory.supervised.batch import Batch
from memory.supervised.head import Answered
from memory.supervised.measure import Measure


class WeightedF1(Measure):
    """`f1`: mean over the classes, weighted by their numbers, of the harmonic mean of precision
    and recall.

    Args:
        classes: possible answers.
    """

    def __init__(self, classes: int) -> None:
        self.right, self.due, self.given = torch.zeros(3, classes, dtype=torch.long).unbind()

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch."""
        self.count(answered.guesses, batch.targets[batch.loss_mask])

    def count(self, guesses: Int[Tensor, " S"], targets: Int[Tensor, " S"]) -> None:
        """Add answers."""
        classes = len(self.due)
        self.due += targets.bincount(minlength=classes).cpu()
        self.given += guesses.bincount(minlength=classes).cpu()
        self.right += targets[guesses == targets].bincount(minlength=classes).cpu()

    def results(self) -> dict[str, float]:
        """Between 0 and 1."""
        both = (self.due + self.given).clamp(min=1)
        return {"f1": (self.due * 2 * self.right / both).sum().item() / self.due.sum().item()}


def weighted_f1(guesses: Int[Tensor, " S"], targets: Int[Tensor, " S"]) -> float:
    """Weighted F1 of some answers."""
    measure = WeightedF1(1 + int(max(guesses.max(), targets.max())))
    measure.count(guesses, targets)
    return measure.results()["f1"]
