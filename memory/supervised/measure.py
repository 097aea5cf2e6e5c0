"""Metrics of a reader on held-out sequences."""

from abc import ABC, abstractmethod

import torch

from memory.supervised.batch import Batch
from memory.supervised.head import Answered


class Measure(ABC):
    """A metric accumulated over batches; a new one is made for each pass."""

    @abstractmethod
    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch."""

    @abstractmethod
    def results(self) -> dict[str, float]:
        """The values, by name."""


class AccuracyMetric(Measure):
    """`loss` and `accuracy` of the answers, and `sequence_accuracy`: the share of sequences with no
    wrong answer."""

    def __init__(self) -> None:
        self.loss = self.answers = self.right = self.sequences = self.all_right = 0.0

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch."""
        wrong = torch.zeros_like(batch.loss_mask)
        wrong[batch.loss_mask] = answered.guesses != batch.targets[batch.loss_mask]
        self.loss += answered.losses.double().sum().item()
        self.answers += len(answered.losses)
        self.right += len(answered.losses) - wrong.sum().item()
        self.sequences += wrong.shape[1]
        self.all_right += (~wrong.any(dim=0)).sum().item()

    def results(self) -> dict[str, float]:
        """Mean loss in nats, and two shares from 0 to 1."""
        return {
            "loss": self.loss / self.answers,
            "accuracy": self.right / self.answers,
            "sequence_accuracy": self.all_right / self.sequences,
        }
