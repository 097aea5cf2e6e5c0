"""Minimal gated recurrent unit: a gated linear recurrence, whose unroll is a parallel scan.

Source: Feng et al., "Were RNNs all we needed?" (2024), section 3.1: the gate and the candidate of a
GRU without their view of the state, and so without back-propagation through them in time:

    z = sigmoid(W x + b)      c = V x + d      h' = (1 - z) h + z c

A layer is this unit and a perceptron, each behind a norm and around a residual, as the paper's
language model has it; what a layer knows of the past reaches gates in the layers above it only.

Differs from the paper: no convolution before the unit; the plain form (appendix B.2.1), no
logarithms: its products of numbers in (0, 1) cannot overflow. Resets inside a sequence are a decay
of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import Core, CoreConfig, select
from memory.layers.initialisation import linear
from memory.layers.linear_recurrence import recur
from memory.observed import Observed
from memory.options import input_shape_of, positive


@dataclass(frozen=True, kw_only=True)
class MinGRUConfig(CoreConfig):
    """Minimal gated recurrent unit, a gated linear recurrence."""

    hidden: int = 256
    """Units of each layer."""
    layers: int = 2
    """Layers; with one alone, gates see no past."""

    def build(self, input_shape: tuple[int, ...]) -> "MinGRU":
        """Make the core for inputs of shape (F,)."""
        positive(hidden=self.hidden, layers=self.layers)
        (features,) = input_shape_of("min_gru", input_shape, "F")
        return MinGRU(features, self.hidden, self.layers)


class Layer(nn.Module):
    """The unit and the perceptron behind it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = linear(width, 2 * width)
        self.mlp = nn.Sequential(linear(width, 2 * width), nn.GELU(), linear(2 * width, width))
        self.gate = Observed(unit=())

    def read_input(
        self, x: Float[Tensor, "*T B D"]
    ) -> tuple[Float[Tensor, "*T B D"], Float[Tensor, "*T B D"]]:
        """Decay 1 - z and what is added, z c: neither depends on the state."""
        gate, candidate = self.project(self.norm(x)).chunk(2, dim=-1)
        update = self.gate(torch.sigmoid(gate))
        return 1 - update, update * candidate

    def output(
        self, x: Float[Tensor, "*T B D"], hidden: Float[Tensor, "*T B D"]
    ) -> Float[Tensor, "*T B D"]:
        """What the layer above sees."""
        x = x + hidden
        return x + self.mlp(self.mlp_norm(x))


class MinGRU(Core[Tensor]):
    """Minimal gated recurrent units in layers; the state is [B, L, D], the output [B, D]."""

    def __init__(self, features: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.output_size = hidden
        self.embed = linear(features, hidden)
        self.layers = cast("Sequence[Layer]", nn.ModuleList(Layer(hidden) for _ in range(layers)))
        self.norm = nn.LayerNorm(hidden)

    def initial_state(self, batch: int) -> Float[Tensor, "B L D"]:
        """Zeros."""
        return self.embed.bias.new_zeros(batch, len(self.layers), self.output_size)

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B L D"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B L D"]]:
        """Consume one time step."""
        x, states = self.embed(x), list[Tensor]()
        for layer, hidden in zip(self.layers, state.unbind(dim=1), strict=True):
            decay, now = layer.read_input(x)
            hidden = torch.addcmul(now, decay, hidden)
            x = layer.output(x, hidden)
            states.append(hidden)
        return self.norm(x), torch.stack(states, dim=1)

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B L D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B L D"]]:
        """Unroll layer by layer, all times at once."""
        if reset is not None:
            state = select(reset[0], self.initial_state(inputs.shape[1]), state)
        x, states = self.embed(inputs), list[Tensor]()
        for layer, hidden in zip(self.layers, state.unbind(dim=1), strict=True):
            decays, now = layer.read_input(x)
            if reset is not None:
                decays = decays.masked_fill(reset.unsqueeze(-1), 0)
            past = recur(decays, now, hidden)
            x = layer.output(x, past)
            states.append(past[-1])
        return self.norm(x), torch.stack(states, dim=1)
