"""Recurrent entity network: slots that each follow one entity, written where the input is about it.

Source: Henaff et al., "Tracking the world state with recurrent entity networks" (2017), section 2,
and the authors' program. With s = E x, keys w_j (trained) and memories h_j, which start at w_j, a
step first answers from the memory as it stands, then writes:

    p = softmax(s . h_j)      u = sum_j p_j h_j      output = phi(s + H u)            (section 2.3)
    g_j = sigmoid(s . (h_j + w_j) + b_j)             c_j = phi(U h_j + V s + W w_j)   (2 to 4)
    h_j = (h_j + g_j c_j) / |h_j + g_j c_j|                                           (5, 6)

phi is a rectifier with one trained slope per dimension, one of slope 1 to begin with.

Differs from the paper:

* the input of a step is one vector, made by an encoder elsewhere; E brings it to the width of the
  memory, and stands for statement and question alike: the question is what comes last;
* the gate has a trained bias per slot, and U a bias, as in the authors' program;
* padding leaves the memory as it is, where the program normalises it all the same; and 1e-6 guards
  the norm, whose gradient would explode where a candidate cancels a memory;
* the output is what the paper feeds its last layer, which belongs to the reader of this core.
"""

# pyright: standard

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.core import Core, CoreConfig, select
from memory.layers.padding import is_present
from memory.observed import Observed
from memory.options import input_shape_of, positive

EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class EntNetConfig(CoreConfig):
    """Recurrent entity network."""

    slots: int = 20
    """Entities that can be followed."""
    units: int = 128
    """Units of each memory and key."""

    @classmethod
    def of_width(cls, width: int) -> "EntNetConfig":
        """Of 8 slots of `width` units."""
        return cls(units=width, slots=8)

    @classmethod
    def small(cls) -> Mapping[str, "EntNetConfig"]:
        """The one mode."""
        return {"": cls(slots=3, units=16)}

    def build(self, input_shape: tuple[int, ...]) -> "EntNet":
        """Make the core for inputs of shape (F,)."""
        positive(slots=self.slots, units=self.units)
        (features,) = input_shape_of("entnet", input_shape, "F")
        return EntNet(features, self.slots, self.units)


class InputTerms(NamedTuple):
    """What a step needs of its input, before it sees the memory."""

    embedded: Float[Tensor, "*T B D"]
    about: Float[Tensor, "*T B N"]
    """s . w_j + b_j"""
    summand: Float[Tensor, "*T B N D"]
    """V s + W w_j + the bias of U"""
    present: Bool[Tensor, "*T B 1"]


class Rectifier(nn.Module):
    """Slope 1 above zero, one trained slope per dimension below."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Rectify."""
        return x.clamp(min=0) + self.slope * x.clamp(max=0)


class EntNet(Core[Tensor]):
    """Recurrent entity network; the state is the memories, [B, N, D], the output [B, D]."""

    def __init__(self, features: int, slots: int, units: int) -> None:
        super().__init__()
        self.output_size = units
        self.keys = nn.Parameter(torch.empty(slots, units))
        self.gate_bias = nn.Parameter(torch.zeros(slots))
        self.embed = nn.Linear(features, units, bias=False)
        self.from_memory = nn.Linear(units, units)
        self.from_input = nn.Linear(units, units, bias=False)
        self.from_key = nn.Linear(units, units, bias=False)
        self.read = nn.Linear(units, units, bias=False)
        self.rectify = Rectifier(units)
        self.gate, self.attention = Observed(slot=()), Observed(slot=())
        nn.init.zeros_(self.from_memory.bias)
        for weight in (self.embed, self.from_memory, self.from_input, self.from_key, self.read):
            nn.init.normal_(weight.weight, std=0.1)
        nn.init.normal_(self.keys, std=0.1)

    def initial_state(self, batch: int) -> Float[Tensor, "B N D"]:
        """The keys."""
        return self.keys.repeat(batch, 1, 1)

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B N D"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B N D"]]:
        """Consume one time step."""
        terms = self._read_input(x)
        return self._answer(terms.embedded, state), self._write(terms, state)

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B N D"]]:
        """Unroll over time; answers, which nothing waits for, are computed for all at once."""
        embedded, before, state = self._unroll(inputs, state, reset)
        return self._answer(embedded, torch.stack(before)), state

    def outputs_at(
        self,
        wanted: Bool[Tensor, "T B"],
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "S D"], Float[Tensor, "B N D"]]:
        """Answers at the wanted steps alone."""
        embedded, before, state = self._unroll(inputs, state, reset)
        steps = wanted.any(dim=1)
        asked = [memory for memory, here in zip(before, steps.tolist(), strict=True) if here]
        return self._answer(embedded[wanted], torch.stack(asked)[wanted[steps]]), state

    def _unroll(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "T B D"], list[Tensor], Float[Tensor, "B N D"]]:
        """Embedded inputs, the memory before each is written, and that after the last."""
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        terms = self._read_input(inputs)
        before: list[Tensor] = []
        for t, now in enumerate(zip(*(term.unbind() for term in terms), strict=True)):
            if reset is not None:
                state = select(reset[t], fresh, state)
            before.append(state)
            state = self._write(InputTerms(*now), state)
        return terms.embedded, before, state

    def _read_input(self, x: Float[Tensor, "*T B F"]) -> InputTerms:
        embedded = self.embed(x)
        of_keys = functional.linear(self.keys, self.from_key.weight, self.from_memory.bias)
        return InputTerms(
            embedded,
            functional.linear(embedded, self.keys, self.gate_bias),
            self.from_input(embedded).unsqueeze(-2) + of_keys,
            is_present(x),
        )

    def _write(self, terms: InputTerms, memory: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        about = (memory @ terms.embedded.unsqueeze(-1)).squeeze(-1) + terms.about
        gate = self.gate(torch.sigmoid(about))
        carried = functional.linear(memory, self.from_memory.weight)
        new = memory + gate.unsqueeze(-1) * self.rectify(carried + terms.summand)
        unit = new * torch.rsqrt(new.square().sum(dim=-1, keepdim=True) + EPSILON)
        return torch.where(terms.present.unsqueeze(-1), unit, memory)

    def _answer(
        self, question: Float[Tensor, "*T B D"], memory: Float[Tensor, "*T B N D"]
    ) -> Float[Tensor, "*T B D"]:
        scores = (memory @ question.unsqueeze(-1)).squeeze(-1)
        weights = self.attention(torch.softmax(scores, dim=-1))
        read = (weights.unsqueeze(-2) @ memory).squeeze(-2)
        return self.rectify(question + self.read(read))
