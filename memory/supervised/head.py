"""The read-out of a supervised network: from the outputs of a core to answers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from memory.options import positive


class Answered(NamedTuple):
    """The answers of S scored steps, time first."""

    losses: Float[Tensor, " S"]
    """Cross-entropy of the right answer, in nats."""
    guesses: Int[Tensor, " S"]
    """The likeliest answer."""


class Head(nn.Module, ABC):
    """Maps the outputs of a core to answers."""

    branches_on_data: bool = False
    """As `Core.branches_on_data`."""

    @abstractmethod
    def forward(self, hidden: Float[Tensor, "S D"]) -> Float[Tensor, "S C"]:
        """Logits of every class."""

    def answer(self, hidden: Float[Tensor, "S D"], targets: Int[Tensor, " S"]) -> Answered:
        """Losses and guesses. A head with many classes may compute the logits in parts."""
        logits = self(hidden).float()
        losses = functional.cross_entropy(logits, targets, reduction="none")
        return Answered(losses, logits.argmax(-1))


def rectified(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with a rectifier after each but the last."""
    positive(**{f"readout[{i}]": width for i, width in enumerate(widths[1:-1])})
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Classifier(Head):
    """Rectified layers, then one logit per class."""

    def __init__(self, width: int, readout: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.layers = rectified((width, *readout, num_classes))

    def forward(self, hidden: Float[Tensor, "S D"]) -> Float[Tensor, "S C"]:
        """Logits of every class."""
        return self.layers(hidden)
