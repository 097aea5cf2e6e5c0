"""Controllers of a core with an external memory: networks of one or more layers.

Source: Graves et al., "Hybrid computing using a neural network with dynamic external memory"
(2016), Methods, "Controller network". With the words r read one step ago, layer l computes, from
x, r, the layer below and (of an LSTM) its own hidden state h,

    i, f, g, o = W_l [x; r; h_l; h'_(l-1)] + b_l
    c'_l = sigmoid(f + 1) c_l + sigmoid(i) tanh(g)        h'_l = sigmoid(o) tanh(c'_l)

or, without recurrence, h'_l = relu(W_l [x; r; h'_(l-1)] + b_l). The output is [h'_1; ...; h'_L].

Differs from the paper:

* the forget gate has an extra bias of one, as in `memory.cores.lstm`;
* what is passed on, output and state, is clipped, as the authors' program does;
* a controller without recurrence has the wiring of the paper's LSTM; the paper does not detail it.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memory.cores.lstm import LSTMState
from memory.layers.initialisation import truncated_normal_


class NoState(NamedTuple):
    """What a controller without recurrence carries from step to step: nothing."""


class LSTMController(nn.Module):
    """Layers of long short-term memory; in the state, the layers stand side by side."""

    def __init__(self, features: int, reads: int, hidden: int, layers: int, limit: float) -> None:
        super().__init__()
        self.output_size, self.limit = layers * hidden, limit
        self.from_input = nn.Linear(features, layers * 4 * hidden)
        widths = [reads + hidden, *[reads + 2 * hidden] * (layers - 1)]
        self.from_memory = cast("Sequence[nn.Linear]", _layers(widths, 4 * hidden))
        _draw(self.from_input, self.from_memory)

    def initial_state(self, batch: int) -> LSTMState:
        """Zeros."""
        zeros = self.from_input.bias.new_zeros(batch, self.output_size)
        return LSTMState(zeros, zeros.clone())

    def read_input(self, x: Float[Tensor, "*T B F"]) -> Float[Tensor, "*T B G"]:
        """What depends on the input alone, of all layers."""
        return self.from_input(x)

    def forward(
        self, summand: Float[Tensor, "B G"], reads: Float[Tensor, "B RW"], state: LSTMState
    ) -> tuple[Float[Tensor, "B D"], LSTMState]:
        """Consume one time step."""
        parts = [part.chunk(len(self.from_memory), dim=-1) for part in (summand, *state)]
        hiddens: list[Tensor] = []
        cells: list[Tensor] = []
        for from_memory, now, hidden, cell in zip(self.from_memory, *parts, strict=True):
            gates = now + from_memory(torch.cat([reads, hidden, *hiddens[-1:]], dim=-1))
            i, f, candidate, o = gates.chunk(4, dim=-1)
            cell = torch.sigmoid(f + 1.0) * cell + torch.sigmoid(i) * torch.tanh(candidate)
            cells.append(cell)
            hiddens.append(torch.sigmoid(o) * torch.tanh(cell))
        output = _clipped(hiddens, self.limit)
        return output, LSTMState(output, _clipped(cells, self.limit))


class FeedForwardController(nn.Module):
    """Rectified linear layers: all that is remembered is in the external memory."""

    def __init__(self, features: int, reads: int, hidden: int, layers: int, limit: float) -> None:
        super().__init__()
        self.output_size, self.limit = layers * hidden, limit
        self.from_input = nn.Linear(features, layers * hidden)
        widths = [reads, *[reads + hidden] * (layers - 1)]
        self.from_memory = cast("Sequence[nn.Linear]", _layers(widths, hidden))
        _draw(self.from_input, self.from_memory)

    def initial_state(self, batch: int) -> NoState:
        """Nothing."""
        return NoState()

    def read_input(self, x: Float[Tensor, "*T B F"]) -> Float[Tensor, "*T B G"]:
        """What depends on the input alone, of all layers."""
        return self.from_input(x)

    def forward(
        self, summand: Float[Tensor, "B G"], reads: Float[Tensor, "B RW"], state: NoState
    ) -> tuple[Float[Tensor, "B D"], NoState]:
        """Consume one time step."""
        hiddens: list[Tensor] = []
        summands = summand.chunk(len(self.from_memory), dim=-1)
        for from_memory, now in zip(self.from_memory, summands, strict=True):
            below = torch.cat([reads, *hiddens[-1:]], dim=-1)
            hiddens.append(torch.relu(now + from_memory(below)))
        return _clipped(hiddens, self.limit), state


def _layers(widths: Iterable[int], outputs: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(width, outputs, bias=False) for width in widths)


def _draw(from_input: nn.Linear, from_memory: Iterable[nn.Linear]) -> None:
    """Draw the weights of each layer as those of one matrix; no bias to begin with."""
    layers = list(from_memory)
    of_layers = from_input.weight.data.chunk(len(layers))
    for of_input, layer in zip(of_layers, layers, strict=True):
        fan_in = of_input.shape[1] + layer.in_features
        truncated_normal_(of_input, fan_in)
        truncated_normal_(layer.weight, fan_in)
    nn.init.zeros_(from_input.bias)


def _clipped(layers: list[Tensor], limit: float) -> Float[Tensor, "B D"]:
    return torch.cat(layers, dim=-1).clamp(-limit, limit)
