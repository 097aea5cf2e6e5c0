"""What a supervised task is: numbered batches of sequences, and the answers that count."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from jaxtyping import Bool, Int
from numpy.random import SeedSequence
from torch import Tensor, nn

Split = Literal["train", "test", "validation"]


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

    A batch is a function of its number, its size and the seed of the task alone: a run that is
    resumed needs to remember nothing but how far it came, and any process can make batches.
    """

    num_classes: int
    """Possible answers at each step."""

    @abstractmethod
    def batch(self, number: int, size: int) -> Batch:
        """A training batch."""

    @abstractmethod
    def held_out(self, split: Split) -> Iterator[Batch]:
        """The same sequences every time, kept or drawn apart from training.

        By those of `validation` a run is steered, by those of `test` it is judged.
        """

    @abstractmethod
    def encoder(self) -> Encoder:
        """A fresh encoder."""

    def plateaus(self) -> dict[str, float]:
        """Accuracies that answering without memory or thought comes to, by a few words each."""
        return {"chance": 1 / self.num_classes}


CHUNK = 320
"""Sequences of a held-out batch: the same whatever the batch that is trained with."""


def random_source(seed: int, split: Split, number: int) -> SeedSequence:
    """Where the random numbers of one batch come from; no two batches share any."""
    return SeedSequence([seed, get_args(Split).index(split), number])
