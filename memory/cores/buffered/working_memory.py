"""Working memory network: several attentive reads of the last inputs, then relations among them.

Source: Pavez, Allende and Allende-Cid, "Working Memory Networks: Augmenting Memory Networks with a
Relational Reasoning Module" (2018), section 3, and the authors' own program for bAbI. One step,
with remembered rows m_i, question q, controller t (two linear layers) and head k of hop h:

    u_0 = t(q)
    p_hk = softmax over i of  tanh(W_hk m_i) . u_(h-1) / sqrt(d)
    o_h = W_h [sum over i of p_h1i m_i; ...; sum over i of p_hKi m_i]        u_h = t(o_h)
    output = sum over i, j of  g([o_i; o_j; q])

Values are the remembered rows themselves, not projected; each hop has its own W, all share t. The
working memory is o_1 to o_H: the reasoning costs H² pairs however much is remembered.

Differs from the paper:

* The facts are the last inputs of the episode, the question is the newest of them, and it is one of
  the facts as well: at the first step there is nothing else. Every step asks and answers.
* A linear layer embeds an input where the paper runs a GRU over the words of a sentence; a trained
  vector for each age, counted from the newest, is added in place of the token that tells the time.
* Slots not yet filled are left out of the attention; the program attends its padding too.
* The output is the sum over pairs, and the heads of the policy take the place of the answer. Every
  pair sees q, so the policy sees the present as well as the past.
* Weights start as in our other cores, and nothing decays: the paper has a penalty on weights.
"""

# pyright: standard

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from memory.core import CoreConfig
from memory.cores.buffered.input_buffer import BufferCore, InputBuffer, Recollection
from memory.cores.buffered.pairs import Pairs
from memory.layers.initialisation import linear, truncated_normal_
from memory.observed import Observed
from memory.options import input_shape_of, positive


@dataclass(frozen=True, kw_only=True)
class WorkingMemoryConfig(CoreConfig):
    """Working memory network; the defaults are the paper's for bAbI."""

    buffer: int = 30
    """Inputs remembered, the newest included."""
    width: int = 30
    """Width of an embedded input, and of what each hop reads."""
    controller: int | None = None
    """Units of the controller's first layer; half the width if not given."""
    hops: int = 4
    """Reads of the memory per step, each with what the one before it found."""
    heads: int = 8
    """Attention heads of each hop."""
    g_layers: int = 3
    """Layers of the network that relates pairs of reads."""
    g_units: int = 128
    """Units of each of these layers, and of the output."""

    @classmethod
    def of_width(cls, width: int) -> "WorkingMemoryConfig":
        """Of inputs embedded in `width`, and layers of twice as many units."""
        return cls(width=width, g_units=2 * width, hops=3, heads=4, buffer=16)

    @classmethod
    def small(cls) -> Mapping[str, "WorkingMemoryConfig"]:
        """Several hops and heads, and one of each."""
        return {
            "": cls(buffer=8, width=8, hops=2, heads=2, g_units=16),
            "one hop": cls(buffer=8, width=6, controller=2, hops=1, heads=1, g_layers=1, g_units=8),
        }

    def build(self, input_shape: tuple[int, ...]) -> "WorkingMemory":
        """Make the core for inputs of shape (F,)."""
        positive(buffer=self.buffer, width=self.width, hops=self.hops, heads=self.heads)
        positive(g_layers=self.g_layers, g_units=self.g_units)
        if self.controller is not None:
            positive(controller=self.controller)
        (features,) = input_shape_of("working_memory", input_shape, "F")
        return WorkingMemory(self, features)


class AttendRows(nn.Module):
    """Weighted means of rows, one for each head."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = Observed(head=(), row=())

    def forward(
        self,
        question: Float[Tensor, "B D"],
        keys: Float[Tensor, "B N K D"],
        rows: Float[Tensor, "B N D"],
        filled: Bool[Tensor, "B N"],
    ) -> Float[Tensor, "B K D"]:
        """What each head reads; empty slots have no weight."""
        asked = (question * question.shape[-1] ** -0.5).unsqueeze(-1)
        scores = (keys.flatten(1, 2) @ asked).view(keys.shape[:3]).transpose(1, 2)
        scores = scores.masked_fill(~filled.unsqueeze(1), -torch.inf)
        return self.weights(torch.softmax(scores, dim=-1)) @ rows


class Hop(nn.Module):
    """One read of the memory by several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.key = nn.Linear(width, heads * width, bias=False)
        self.attend = AttendRows()
        self.merge = nn.Linear(heads * width, width, bias=False)
        for layer in (self.key, self.merge):
            truncated_normal_(layer.weight, layer.in_features)

    def forward(
        self,
        question: Float[Tensor, "B D"],
        rows: Float[Tensor, "B N D"],
        filled: Bool[Tensor, "B N"],
    ) -> Float[Tensor, "B D"]:
        """Answer the question from the filled rows."""
        keys = torch.tanh(self.key(rows)).unflatten(-1, (self.heads, -1))
        return self.merge(self.attend(question, keys, rows, filled).flatten(1))


class WorkingMemory(BufferCore):
    """Working memory network; the state is the last inputs, the output the sum over pairs."""

    def __init__(self, config: WorkingMemoryConfig, features: int) -> None:
        super().__init__()
        width = config.width
        self.output_size = config.g_units
        self.buffer = InputBuffer(features, config.buffer, width)
        between = config.controller or max(1, width // 2)
        self.controller = nn.Sequential(linear(width, between), linear(between, width))
        self.hops = nn.ModuleList(Hop(width, config.heads) for _ in range(config.hops))
        self.relate = Pairs(width, config.g_layers, config.g_units)

    def answer(self, recollection: Recollection) -> Float[Tensor, "B U"]:
        """Hop after hop, then the relations among what was found."""
        question, rows, filled = recollection
        found, asked = [], self.controller(question)
        for hop in self.hops:
            found.append(hop(asked, rows, filled))
            asked = self.controller(found[-1])
        return self.relate(torch.stack(found, dim=1), question)
