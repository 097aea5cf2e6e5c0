"""No memory: one layer that sees the input of its own step only.

A baseline. What another core gains over this one is what its memory is worth.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from memory.core import Core, CoreConfig
from memory.layers.initialisation import linear
from memory.observed import Observed
from memory.options import input_shape_of, positive


@dataclass(frozen=True, kw_only=True)
class NoMemoryConfig(CoreConfig):
    """No memory: one rectified linear layer per step, as a baseline."""

    hidden: int = 256
    """Units of the layer."""

    def build(self, input_shape: tuple[int, ...]) -> "NoMemory":
        """Make the core for inputs of shape (F,)."""
        positive(hidden=self.hidden)
        (features,) = input_shape_of("none", input_shape, "F")
        return NoMemory(features, self.hidden)


class NoMemory(Core[Tensor]):
    """A rectified linear layer; the state is empty, [B, 0], the output [B, D]."""

    carries_gradient = False

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.output_size = hidden
        self.layer = linear(features, hidden)
        self.units = Observed()

    def initial_state(self, batch: int) -> Float[Tensor, "B 0"]:
        """Nothing."""
        return self.layer.bias.new_zeros(batch, 0)

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B 0"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B 0"]]:
        """Consume one time step."""
        return self.units(torch.relu(self.layer(x))), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B 0"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B 0"]]:
        """All times at once; there is nothing to reset."""
        return self.units(torch.relu(self.layer(inputs))), state
