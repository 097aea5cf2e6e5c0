"""Gated Transformer-XL: attention to the last steps of an episode, layer by layer.

Source: Parisotto et al., "Stabilizing transformers for reinforcement learning" (2019), section 3
and figure 1. One layer, with inputs x of the step and memory m, its own inputs at the last M steps:

    y = g(x, ReLU(attention(LN([m, x]))))
    output = g(y, ReLU(MLP(LN(y))))

with relative-position attention and the gate that the paper found best, that of a GRU:

    r = sigmoid(W_r y + U_r x)      z = sigmoid(W_z y + U_z x - b)
    g(x, y) = (1 - z) x + z tanh(W_g y + U_g (r x))

A bias b above 0 makes each layer close to the identity at first. A layer above sees what the layer
below knew, so L layers reach L * M steps back.

Differs from the paper:

* Every step attends to itself and to the M steps before it. The paper unrolls in segments, whose
  later steps also see the earlier ones of their segment, beyond M.
* Gradient flows through the memory within an unroll: whether it is cut is up to the caller. The
  paper cuts it between segments, which is where an unroll begins here.
* Steps of another episode are masked, inside an unroll as well.
* Scores are divided by the root of a head's size; u and v belong to each layer; no dropout.
"""

# pyright: standard

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import Core, CoreConfig
from memory.layers.initialisation import linear, truncated_normal_
from memory.layers.relative_attention import RelativeAttention, sinusoids, window
from memory.observed import Observed
from memory.options import divisible, input_shape_of, positive


@dataclass(frozen=True, kw_only=True)
class GTrXLConfig(CoreConfig):
    """Gated Transformer-XL."""

    hidden: int = 128
    """Width of a layer and of the output; a multiple of the heads."""
    layers: int = 2
    """Layers of attention and perceptron."""
    heads: int = 4
    """Attention heads of each layer."""
    memory: int = 64
    """Steps before the present one that each layer attends to."""
    gate_bias: float = 2.0
    """Initial bias b of the gates; above 0 a layer is close to the identity at first."""

    @classmethod
    def of_width(cls, width: int) -> "GTrXLConfig":
        """Of 2 heads of size `width`, and a memory of 16 steps."""
        return cls(hidden=2 * width, heads=2, memory=16)

    @classmethod
    def small(cls) -> Mapping[str, "GTrXLConfig"]:
        """Several layers, and one layer with a memory that an unroll does not fill."""
        return {
            "": cls(hidden=16, heads=2, memory=4),
            "one layer": cls(hidden=9, heads=3, memory=9, layers=1),
        }

    def build(self, input_shape: tuple[int, ...]) -> "GTrXL":
        """Make the core for inputs of shape (F,)."""
        positive(hidden=self.hidden, layers=self.layers, heads=self.heads, memory=self.memory)
        divisible("hidden", self.hidden, {"heads": self.heads})
        (features,) = input_shape_of("gtrxl", input_shape, "F")
        return GTrXL(features, self)


class GTrXLState(NamedTuple):
    """Inputs of each layer at the last steps, oldest first. Places not filled hold zeros."""

    rows: Float[Tensor, "B L M D"]
    filled: Float[Tensor, "B M"]
    """1 where a place holds a step of this episode, else 0."""


class Gate(nn.Module):
    """Gated residual connection, as in a GRU."""

    def __init__(self, width: int, bias: float) -> None:
        super().__init__()
        self.from_branch = nn.Linear(width, 3 * width, bias=False)  # W_r, W_z, W_g
        self.from_stream = nn.Linear(width, 2 * width, bias=False)  # U_r, U_z
        self.from_reset = nn.Linear(width, width, bias=False)  # U_g
        self.bias = nn.Parameter(torch.full((width,), bias))
        self.update = Observed(step=(), unit=())
        for layer in (self.from_branch, self.from_stream, self.from_reset):
            truncated_normal_(layer.weight, 2 * width)

    def forward(
        self, x: Float[Tensor, "B T D"], y: Float[Tensor, "B T D"]
    ) -> Float[Tensor, "B T D"]:
        """The stream x, with what the branch y changes in it."""
        reset, update, candidate = self.from_branch(y).chunk(3, dim=-1)
        reset_x, update_x = self.from_stream(x).chunk(2, dim=-1)
        update = self.update(torch.sigmoid(update + update_x - self.bias))
        kept = torch.sigmoid(reset + reset_x) * x
        return x + update * (torch.tanh(candidate + self.from_reset(kept)) - x)


class Layer(nn.Module):
    """Attention and perceptron, each behind a norm and before a gate."""

    def __init__(self, config: GTrXLConfig) -> None:
        super().__init__()
        width = config.hidden
        self.norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = RelativeAttention(width, config.heads)
        self.mlp = nn.Sequential(linear(width, 4 * width), nn.ReLU(), linear(4 * width, width))
        self.gate, self.mlp_gate = (Gate(width, config.gate_bias) for _ in range(2))

    def forward(
        self,
        rows: Float[Tensor, "B N D"],
        visible: Bool[Tensor, "B T N"],
        ages: Float[Tensor, "ages D"],
    ) -> Float[Tensor, "B T D"]:
        """The last T of the rows, each with what it found in those that it sees."""
        x = rows[:, -visible.shape[1] :]
        # A product with a weight of zero is no mask for what is not finite, so zeros stand for it.
        broken = ~rows.isfinite().all(dim=-1)
        normal = self.norm(rows.masked_fill(broken.unsqueeze(-1), 0))
        x = self.gate(x, torch.relu(self.attend(normal, visible, broken, ages)))
        return self.mlp_gate(x, torch.relu(self.mlp(self.mlp_norm(x))))


class GTrXL(Core[GTrXLState]):
    """Gated Transformer-XL; the state is the last inputs of each layer, the output [B, D]."""

    def __init__(self, features: int, config: GTrXLConfig) -> None:
        super().__init__()
        self.output_size, self.memory = config.hidden, config.memory
        self.embed = linear(features, config.hidden)
        self.layers = cast(
            "Sequence[Layer]", nn.ModuleList(Layer(config) for _ in range(config.layers))
        )

    def initial_state(self, batch: int) -> GTrXLState:
        """Zeros: no place is filled."""
        new_zeros = self.embed.bias.new_zeros
        rows = new_zeros(batch, len(self.layers), self.memory, self.output_size)
        return GTrXLState(rows, new_zeros(batch, self.memory))

    def step(
        self, x: Float[Tensor, "B F"], state: GTrXLState
    ) -> tuple[Float[Tensor, "B D"], GTrXLState]:
        """Consume one time step."""
        outputs, state = self.forward(x.unsqueeze(0), state)
        return outputs.squeeze(0), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: GTrXLState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], GTrXLState]:
        """Unroll layer by layer, all times at once."""
        known = _known(state.filled, inputs.shape[0], reset)
        visible = known & window(inputs.shape[0], self.memory, inputs.device)
        age = torch.arange(self.memory, -1, -1, device=inputs.device)
        ages = sinusoids(age.to(state.filled.dtype), self.output_size)
        x, histories = self.embed(inputs).transpose(0, 1), []
        for layer, before in zip(self.layers, state.rows.unbind(dim=1), strict=True):
            history = torch.cat([before, x], dim=1)
            x = layer(history, visible, ages)
            histories.append(history[:, -self.memory :])
        filled = known[:, -1, -self.memory :]
        rows = torch.stack(histories, dim=1).masked_fill(~filled[:, None, :, None], 0)
        return x.transpose(0, 1), GTrXLState(rows, filled.to(state.filled.dtype))


def _known(
    filled: Float[Tensor, "B M"], steps: int, reset: Bool[Tensor, "T B"] | None
) -> Bool[Tensor, "B T N"]:
    """Which of the N = M + T rows belong to the episode of each of the last T."""
    present = torch.ones(len(filled), steps, dtype=torch.bool, device=filled.device)
    there = torch.cat([filled > 0, present], dim=1).unsqueeze(1)
    if reset is None:
        return there.expand(-1, steps, -1)
    episode = reset.T.cumsum(dim=1)
    of_rows = torch.cat([torch.zeros_like(filled, dtype=episode.dtype), episode], dim=1)
    return there & (of_rows.unsqueeze(1) == episode.unsqueeze(2))
