"""Long short-term memory, the baseline that the other cores are held against.

Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et
al. (2000) and the extra forget bias of one (Jozefowicz et al., 2015) that the LSTM of Sonnet 1 adds
at run time. With gates i, f, g, o cut from W x + U h + b:

    c' = sigmoid(f + 1) c + sigmoid(i) tanh(g)        h' = sigmoid(o) tanh(c')

Weights are laid out as torch.nn.LSTM lays them out, order i, f, g, o, but with one trained bias:
the place of the second is taken by the constant forget bias.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.core import Core, InputKind, select
from memory.initialisation import truncated_normal_
from memory.options import input_shape_of, positive

STEPS_PER_STRETCH = 5
"""A fused call costs about as much as this many steps save: below it, a loop is faster."""


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step."""

    hidden: Float[Tensor, "B D"]
    cell: Float[Tensor, "B D"]


@dataclass(frozen=True, kw_only=True)
class LSTMConfig:
    """Long short-term memory."""

    hidden: int = 256
    """Hidden units."""

    input_kind: ClassVar[InputKind] = "vector"

    def build(self, input_shape: tuple[int, ...]) -> "LSTM":
        """Make the core for inputs of shape (F,)."""
        positive(hidden=self.hidden)
        (features,) = input_shape_of("lstm", input_shape, "F")
        return LSTM(features, self.hidden)


class LSTM(Core[LSTMState]):
    """Long short-term memory; the output is the hidden state."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.output_size = hidden
        self.input_weight = nn.Parameter(torch.empty(4 * hidden, features))
        self.hidden_weight = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        forget = torch.zeros(4 * hidden)
        forget[hidden : 2 * hidden] = 1.0
        self.forget_bias: Tensor
        self.register_buffer("forget_bias", forget, persistent=False)
        for weight in (self.input_weight, self.hidden_weight):
            truncated_normal_(weight, features + hidden)

    def initial_state(self, batch: int) -> LSTMState:
        """Zeros."""
        zeros = self.bias.new_zeros(batch, self.output_size)
        return LSTMState(zeros, zeros.clone())

    @property
    def _weights(self) -> list[Tensor]:
        return [self.input_weight, self.hidden_weight, self.bias, self.forget_bias]

    def step(
        self, x: Float[Tensor, "B F"], state: LSTMState
    ) -> tuple[Float[Tensor, "B D"], LSTMState]:
        """Consume one time step."""
        state = LSTMState(*torch.lstm_cell(x, tuple(state), *self._weights))
        return state.hidden, state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: LSTMState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll over time, in fused stretches between resets where that pays."""
        if reset is None:
            return self._stretch(inputs, state)
        # On a GPU the search for resets would make the host wait; the loop looks at no data.
        if not reset.is_cuda:
            starts = reset[1:].any(dim=1).nonzero().flatten() + 1
            if len(starts) * STEPS_PER_STRETCH <= len(inputs):
                return self._stretches(inputs, state, reset, [0, *starts.tolist()])
        return self._loop(inputs, state, reset)

    def _stretches(
        self,
        inputs: Float[Tensor, "T B F"],
        state: LSTMState,
        reset: Bool[Tensor, "T B"],
        starts: list[int],
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll stretch by stretch; resets fall on the first step of a stretch only."""
        fresh = self.initial_state(inputs.shape[1])
        outputs = []
        for start, stretch in zip(starts, inputs.tensor_split(starts[1:]), strict=True):
            y, state = self._stretch(stretch, select(reset[start], fresh, state))
            outputs.append(y)
        return torch.cat(outputs), state

    def _loop(
        self, inputs: Float[Tensor, "T B F"], state: LSTMState, reset: Bool[Tensor, "T B"]
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll step by step, with the inputs of all times projected at once."""
        fresh = self.initial_state(inputs.shape[1])
        from_inputs = functional.linear(inputs, self.input_weight, self.bias + self.forget_bias)
        outputs = []
        for now, opens in zip(from_inputs.unbind(), reset.unbind(), strict=True):
            hidden, cell = select(opens, fresh, state)
            gates = torch.addmm(now, hidden, self.hidden_weight.t())
            write, keep, candidate, show = gates.chunk(4, dim=1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(write) * torch.tanh(candidate)
            state = LSTMState(torch.sigmoid(show) * torch.tanh(cell), cell)
            outputs.append(state.hidden)
        return torch.stack(outputs), state

    def _stretch(
        self, inputs: Float[Tensor, "T B F"], state: LSTMState
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll a stretch in which no episode ends: one fused call."""
        outputs, hidden, cell = torch.lstm(
            inputs,
            [leaf[None] for leaf in state],
            self._weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=False,
        )
        return outputs, LSTMState(hidden[0], cell[0])
