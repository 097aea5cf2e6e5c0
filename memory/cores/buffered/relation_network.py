"""Relation network: every pair of the last inputs related to the newest one.

Source: Santoro et al., "A simple neural network module for relational reasoning" (2017), equation 1
and supplement E (bAbI). One step, with remembered rows o_i and question q:

    output = f(sum over i, j of  g([o_i; o_j; q]))        all ordered pairs, i = j too

The paper's sizes are buffer 20, width 32, four layers of 256 units in g, and 256, 512 in f; the
defaults are smaller, as g runs for N² pairs at every step once the buffer is full. An unroll holds
up to 4 T B buffer² g_units g_layers bytes for its gradient: 336 MB for 40 steps of 32 games.

The sum grows with the square of what is remembered: at its initial weights the output is some two
hundred times larger once the buffer is full than at the first step, and a policy that is sure of
itself explores little. Where that hurts, average: the output then keeps its scale, but is small.

Differs from the paper:

* The objects are the last inputs of the episode, the question is the newest of them, and it is one
  of the objects as well, by default: at the first step there is nothing else. Every step
  asks and answers.
* A linear layer embeds an input where the paper runs an LSTM over the words of a sentence; a
  trained vector for each age, counted from the newest, is the tag of relative position.
* Slots not yet filled are left out of the sum.
* The heads of the policy take the place of the last layer of f, which is linear; there is no
  dropout.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memory.core import CoreConfig
from memory.cores.buffered.input_buffer import BufferCore, InputBuffer, Recollection
from memory.cores.buffered.pairs import Pairs
from memory.layers.initialisation import linear
from memory.options import input_shape_of, one_of, positive

PairPooling = Literal["sum", "mean"]


@dataclass(frozen=True, kw_only=True)
class RelationNetworkConfig(CoreConfig):
    """Relation network over the last inputs."""

    buffer: int = 16
    """Inputs remembered, the newest included; a step costs the square of those it has."""
    width: int = 32
    """Width of an embedded input."""
    g_layers: int = 4
    """Layers of the network that relates pairs."""
    g_units: int = 64
    """Units of each of these layers."""
    f_units: int = 256
    """Units of the first layer that reads the pooled pairs."""
    output: int = 256
    """Units of the second, which is the output."""
    pooling: PairPooling = "sum"
    """Pairs are summed, as in the paper, or averaged."""
    relate_question: bool = True
    """Whether the newest input, which is the question, is among the objects too. Without it the
    output of the first step is that of no object at all."""

    @classmethod
    def of_width(cls, width: int) -> "RelationNetworkConfig":
        """Of inputs embedded in `width`, and layers of twice as many units."""
        units = 2 * width
        return cls(width=width, g_layers=3, g_units=units, f_units=units, output=units)

    @classmethod
    def small(cls) -> Mapping[str, "RelationNetworkConfig"]:
        """The sum over all pairs, and the mean over pairs without the question."""
        plain = cls(buffer=8, width=8, g_layers=2, g_units=8, f_units=16, output=16)
        return {
            "": plain,
            "mean": replace(plain, g_layers=1, pooling="mean", relate_question=False),
        }

    def build(self, input_shape: tuple[int, ...]) -> "RelationNetwork":
        """Make the core for inputs of shape (F,)."""
        one_of("pooling", self.pooling, get_args(PairPooling))
        positive(buffer=self.buffer, width=self.width, g_layers=self.g_layers)
        positive(g_units=self.g_units, f_units=self.f_units, output=self.output)
        (features,) = input_shape_of("relation_network", input_shape, "F")
        return RelationNetwork(self, features)


class RelationNetwork(BufferCore):
    """Relation network; the state is the last inputs."""

    def __init__(self, config: RelationNetworkConfig, features: int) -> None:
        super().__init__()
        self.output_size, self.averages = config.output, config.pooling == "mean"
        self.relates_question = config.relate_question
        self.buffer = InputBuffer(features, config.buffer, config.width)
        self.relate = Pairs(config.width, config.g_layers, config.g_units)
        self.conclude = nn.Sequential(
            linear(config.g_units, config.f_units),
            nn.ReLU(),
            linear(config.f_units, config.output),
            nn.ReLU(),
        )

    def answer(self, recollection: Recollection) -> Float[Tensor, "B D"]:
        """All pairs of the filled rows, related to the question."""
        question, rows, filled = recollection
        there = filled.to(rows.dtype)
        if not self.relates_question:
            there = torch.cat([torch.zeros_like(there[:, :1]), there[:, 1:]], dim=1)
        if self.averages:
            there = there / there.sum(1, keepdim=True).clamp(min=1)
        pairs = there.unsqueeze(2) * there.unsqueeze(1)
        return self.conclude(self.relate(rows, question, pairs))
