"""What a supervised task is: numbered batches of sequences, and the answers that count."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from numpy.random import SeedSequence
from torch import Tensor, nn


class Batch(NamedTuple):
    """Sequences of one length, time first."""

    inputs: Tensor
    """What the encoder of the task takes, `[T, B, ...]`."""
    targets: Int[Tensor, "T B"]
    """The right class at each step."""
    scored: Bool[Tensor, "T B"]
    """The steps whose answers count; targets elsewhere mean nothing."""
    reset: Bool[Tensor, "T B"] | None = None
    """The steps that open an episode, where the first is not the only one."""


class Encoder(nn.Module, ABC):
    """From the inputs of a task, `[T, B, ...]`, to what cores see of them."""

    output_shape: tuple[int, ...]
    """Features of one step: `(F,)`, `(N, F)` or `(C, H, W)`."""


class Plain(Encoder):
    """For tasks whose inputs are vectors already."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.output_shape = (features,)

    def forward(self, inputs: Tensor) -> Tensor:
        """The inputs."""
        return inputs


class Task(ABC):
    """A supply of batches.

    A batch is a function of its number and of the seed of the task alone: a run that is resumed
    needs to remember nothing but how far it came, and batches can be made in any process.
    """

    num_classes: int
    """Possible answers at each step."""

    @abstractmethod
    def batch(self, number: int, size: int) -> Batch:
        """A training batch."""

    @abstractmethod
    def test_batches(self, size: int) -> Iterator[Batch]:
        """What the task is judged by: the same sequences every time, none of them trained on."""

    @abstractmethod
    def encoder(self) -> Encoder:
        """A fresh encoder."""

    def plateaus(self) -> dict[str, float]:
        """Accuracies that answering without memory or thought comes to, by a few words each."""
        return {"chance": 1 / self.num_classes}


TRAIN, TEST = 0, 1
"""Splits of generated data: streams that share no random number."""


def generator(seed: int, split: int, number: int) -> torch.Generator:
    """The random numbers of one batch."""
    (state,) = SeedSequence([seed, split, number]).generate_state(1)
    return torch.Generator().manual_seed(int(state))
