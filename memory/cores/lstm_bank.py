"""A bank of LSTM cells whose hidden states are summed.

Source: the baseline that Santoro et al., "Relational recurrent neural networks" (2018), section 5.2
and appendix A.2, compare with: "a bank of LSTMs resembling Recurrent Entity Networks", its units
shared out among 2 to 8 cells, their states summed to an output. The paper says no more, so there
are two readings:

* `independent`: every cell has weights of its own, and sees the same input;
* `shared`: one set of weights for all; what tells the cells apart is a trained key k_j, joined to
  the input, and the gate of a recurrent entity network, g_j = sigmoid(E x . (h_j + k_j)), by which
  a cell takes its new state or keeps its old one.

Differs from the paper: units that the cells cannot share evenly are refused, with the nearest that
they can (of 2048 units for 6 cells: 2046).
"""

# pyright: standard

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.core import Core, CoreConfig, select
from memory.cores.lstm import LSTMState
from memory.layers.initialisation import truncated_normal_
from memory.observed import Observed
from memory.options import divisible, input_shape_of, one_of, positive

Weights = Literal["independent", "shared"]

FORGET_BIAS = 1.0


@dataclass(frozen=True, kw_only=True)
class LSTMBankConfig(CoreConfig):
    """Bank of LSTM cells, summed."""

    units: int = 1024
    """Hidden units of all cells together."""
    cells: int = 4
    """Cells that the units are shared out among."""
    weights: Weights = "independent"
    """Weights of its own for every cell; or one set for all, with a key and a gate per cell."""

    @classmethod
    def of_width(cls, width: int) -> "LSTMBankConfig":
        """Of `width` units in each of the 4 cells."""
        return cls(units=4 * width)

    @classmethod
    def small(cls) -> Mapping[str, "LSTMBankConfig"]:
        """Both kinds of weights."""
        return {
            "": cls(units=16, cells=2),
            "shared": cls(units=16, cells=2, weights="shared"),
        }

    def build(self, input_shape: tuple[int, ...]) -> "LSTMBank":
        """Make the core for inputs of shape (F,)."""
        positive(units=self.units, cells=self.cells)
        one_of("weights", self.weights, get_args(Weights))
        hidden = divisible("units", self.units, {"cells": self.cells})
        (features,) = input_shape_of("lstm_bank", input_shape, "F")
        return LSTMBank(features, self.cells, hidden, shared=self.weights == "shared")


class InputTerms(NamedTuple):
    """What a step needs of its input, before it sees the state."""

    gates: Float[Tensor, "*T B K G"]
    about: Float[Tensor, "*T B D"] | None


class LSTMBank(Core[LSTMState]):
    """Bank of LSTM cells; leaves of the state are [B, K, D], the output is their sum, [B, D]."""

    def __init__(self, features: int, cells: int, hidden: int, shared: bool) -> None:
        super().__init__()
        self.cells, self.output_size, self.shared = cells, hidden, shared
        sets = 1 if shared else cells
        self.input_weight = nn.Parameter(torch.empty(sets, 4 * hidden, features))
        self.hidden_weight = nn.Parameter(torch.empty(sets, 4 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(sets, 4 * hidden))
        weights = [self.input_weight, self.hidden_weight]
        self.keys = self.key_weight = self.embed = None
        if shared:
            self.keys = nn.Parameter(0.1 * torch.randn(cells, hidden))
            self.key_weight = nn.Parameter(torch.empty(4 * hidden, hidden))
            self.embed = nn.Linear(features, hidden, bias=False)
            weights.append(self.key_weight)
        for weight in weights:
            truncated_normal_(weight, features + hidden * (2 if shared else 1))
        self.gates = Observed(gate=("input", "forget", "output"), cell=(), unit=())
        self.cell_gate = Observed(cell=())

    def initial_state(self, batch: int) -> LSTMState:
        """Zeros."""
        zeros = self.bias.new_zeros(batch, self.cells, self.output_size)
        return LSTMState(zeros, zeros.clone())

    def step(
        self, x: Float[Tensor, "B F"], state: LSTMState
    ) -> tuple[Float[Tensor, "B D"], LSTMState]:
        """Consume one time step."""
        state = self._cells(self._read_input(x), state)
        return state.hidden.sum(dim=1), state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: LSTMState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll over time, with the inputs of all times projected at once."""
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        terms = self._read_input(inputs)
        about = [None] * len(inputs) if terms.about is None else terms.about.unbind()
        hidden: list[Tensor] = []
        for t, now in enumerate(zip(terms.gates.unbind(), about, strict=True)):
            if reset is not None:
                state = select(reset[t], fresh, state)
            state = self._cells(InputTerms(*now), state)
            hidden.append(state.hidden)
        return torch.stack(hidden).sum(dim=2), state

    def _read_input(self, x: Float[Tensor, "*T B F"]) -> InputTerms:
        bias = self.bias
        if self.keys is not None and self.key_weight is not None:
            bias = bias + self.keys @ self.key_weight.t()
        gates = functional.linear(x, self.input_weight.flatten(0, 1))
        gates = gates.unflatten(-1, (len(self.input_weight), -1)) + bias
        return InputTerms(gates, None if self.embed is None else self.embed(x))

    def _cells(self, terms: InputTerms, state: LSTMState) -> LSTMState:
        gates = terms.gates + self._from_hidden(state.hidden)
        i, f, candidate, o = gates.chunk(4, dim=-1)
        input_gate, forget_gate, output_gate = i.sigmoid(), (f + FORGET_BIAS).sigmoid(), o.sigmoid()
        if self.gates.watched:
            self.gates(torch.stack([input_gate, forget_gate, output_gate], dim=1))
        cell = forget_gate * state.cell + input_gate * torch.tanh(candidate)
        new = LSTMState(output_gate * torch.tanh(cell), cell)
        if self.keys is None or terms.about is None:
            return new
        about = ((state.hidden + self.keys) @ terms.about.unsqueeze(-1)).squeeze(-1)
        gate = self.cell_gate(torch.sigmoid(about)).unsqueeze(-1).to(cell.dtype)
        return LSTMState(*(torch.lerp(a, b, gate) for a, b in zip(state, new, strict=True)))

    def _from_hidden(self, hidden: Float[Tensor, "B K D"]) -> Float[Tensor, "B K G"]:
        if self.shared:
            return functional.linear(hidden, self.hidden_weight[0])
        return torch.bmm(hidden.transpose(0, 1), self.hidden_weight.mT).transpose(0, 1)
