"""Long short-term memory, the baseline of the other cores.

Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et
al. (2000) and the extra forget bias of one (Jozefowicz et al., 2015) that the LSTM of Sonnet 1 adds
at run time. With gates i, f, g, o cut from W x + U h + b:

    c' = sigmoid(f + 1) c + sigmoid(i) tanh(g)        h' = sigmoid(o) tanh(c')

Weights are laid out as torch.nn.LSTM lays them out, order i, f, g, o, but with one trained bias:
the constant forget bias takes the place of the second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.core import Core, CoreConfig, select
from memory.fused.acting import CoreStep
from memory.fused.call import FusedOrTriton
from memory.fused.held import Held
from memory.fused.lstm import code, compiled_step, unroll_compiled, why_not
from memory.kernels import lstm as kernels
from memory.kernels.available import check_kernels
from memory.layers.aligned_linear import aligned_linear
from memory.layers.initialisation import truncated_normal_
from memory.layers.lstm_unroll import unroll_lstm
from memory.layers.recurrence import has_own_backward, no_episode_begins
from memory.observed import Observed
from memory.options import input_shape_of, one_of, positive


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step; of several layers, `[B, L, D]`."""

    hidden: Float[Tensor, "B *L D"]
    cell: Float[Tensor, "B *L D"]


@dataclass(frozen=True, kw_only=True)
class LSTMConfig(CoreConfig):
    """Long short-term memory."""

    hidden: int = 256
    """Hidden units of each layer."""
    layers: int = 1
    """Layers; each sees the input beside the layer below, and the output is all of theirs."""
    fused: FusedOrTriton = "auto"
    """Compute actors' steps, and sequences in which episodes begin, in compiled code where it is
    available (float32 on a CPU with a C++ compiler), or never. It gives first derivatives only.
    With bf16 it computes all sequences and multiplies matrices in bfloat16, if the CPU has
    avx512_bf16: right to two or three digits only. With triton, on a GPU, each step of such a
    sequence is one kernel; on a CPU, triton is as auto."""

    @classmethod
    def small(cls) -> Mapping[str, "LSTMConfig"]:
        """One layer, and two."""
        return {"": cls(hidden=16), "two layers": cls(hidden=8, layers=2)}

    def build(self, input_shape: tuple[int, ...]) -> "LSTM | StackedLSTM":
        """Make the core for inputs of shape (F,)."""
        positive(hidden=self.hidden, layers=self.layers)
        one_of("fused", self.fused, get_args(FusedOrTriton))
        (features,) = input_shape_of("lstm", input_shape, "F")
        if self.layers == 1:
            return LSTM(features, self.hidden, self.fused)
        return StackedLSTM(features, self.hidden, self.layers, self.fused)


class LSTM(Core[LSTMState]):
    """Long short-term memory; the output is the hidden state."""

    def __init__(self, features: int, hidden: int, fused: FusedOrTriton = "auto") -> None:
        super().__init__()
        self.output_size, self.fused, self.held = hidden, fused, Held()
        self.input_weight = nn.Parameter(torch.empty(4 * hidden, features))
        self.hidden_weight = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        forget = torch.zeros(4 * hidden)
        forget[hidden : 2 * hidden] = 1.0
        self.forget_bias: Tensor
        self.register_buffer("forget_bias", forget, persistent=False)
        self.gates = Observed(gate=("input", "forget", "output"), unit=())
        for weight in (self.input_weight, self.hidden_weight):
            truncated_normal_(weight, features + hidden)

    def initial_state(self, batch: int) -> LSTMState:
        """Zeros."""
        zeros = self.bias.new_zeros(batch, self.output_size)
        return LSTMState(zeros, zeros.clone())

    def check_device(self, device: str) -> None:
        """Raise a `ValueError` if kernels or bfloat16 are requested and do not compute there."""
        if self.fused == "triton":
            check_kernels(device)
        if self.fused == "bf16" and device == "cpu":
            code.check_halves()

    @property
    def _weights(self) -> list[Tensor]:
        return [self.input_weight, self.hidden_weight, self.bias, self.forget_bias]

    def step(
        self, x: Float[Tensor, "B F"], state: LSTMState
    ) -> tuple[Float[Tensor, "B D"], LSTMState]:
        """Consume one time step."""
        if self.gates.watched:
            now = functional.linear(x, self.input_weight, self.bias + self.forget_bias)
            state = self._cell(now, state)
        elif self.held.open and self.why_plain(x[None], state) is None:
            _, state = self._unroll_compiled(x[None], state, None)
        else:
            state = LSTMState(*torch.lstm_cell(x, tuple(state), *self._weights))
        return state.hidden, state

    def step_from(
        self, x: Float[Tensor, "B F"], state: LSTMState, reset: Bool[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B D"], LSTMState]:
        """As `step`, from a fresh state where `reset`."""
        if self.held.open and self.why_plain(x[None], state, reset[None]) is None:
            outputs, state = self._unroll_compiled(x[None], state, reset[None])
            return outputs[0], state
        return super().step_from(x, state, reset)

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: LSTMState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll over time."""
        if self.fused != "bf16" and no_episode_begins(reset):
            if reset is not None:
                state = select(reset[0], self.initial_state(inputs.shape[1]), state)
            return self._without_episodes(inputs, state)
        if self.why_plain(inputs, state, reset) is None:
            return self._unroll_compiled(inputs, state, reset)
        projected = aligned_linear(inputs, self.input_weight, self.bias + self.forget_bias)
        if self.gates.watched or not has_own_backward(inputs):
            return self._loop(projected, state, reset)
        outputs, *end = unroll_lstm(projected, self.hidden_weight, *state, reset)
        return outputs, LSTMState(*end)

    def why_plain(
        self, inputs: Tensor, state: LSTMState, reset: Tensor | None = None
    ) -> str | None:
        """Why neither compiled code nor kernels compute an unroll, or None."""
        if self.fused == "never":
            return "fused=never"
        if self.fused == "triton":
            reason = kernels.why_not(self, inputs, *state, reset)
            if reason is None or inputs.is_cuda:
                return reason
        return why_not(self, self.held, inputs, *state, reset, self.fused == "bf16")

    def _unroll_compiled(
        self,
        inputs: Float[Tensor, "T B F"],
        state: LSTMState,
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        weights = self._compiled_weights
        if self.fused == "triton" and kernels.why_not(self, inputs, *state, reset) is None:
            projected = functional.linear(inputs, weights[0], weights[2])
            outputs, *end = kernels.unroll_lstm(projected, weights[1], *state, reset)
            return outputs, LSTMState(*end)
        halves = self.fused == "bf16"
        outputs, *end = unroll_compiled(
            self.held, weights, inputs, *state, reset, halves, self.constants
        )
        return outputs, LSTMState(*end)

    def compiled_step(self, batch: int) -> CoreStep | None:
        """See `memory.fused.acting.HasCompiledStep`."""
        if self.fused == "never":
            return None
        halves, state = self.fused == "bf16", self.initial_state(batch)
        x = self.input_weight.new_empty(1, batch, self.input_weight.shape[1])
        if why_not(self, self.held, x, *state, None, halves) is not None:
            return None
        return compiled_step(self.held, self._compiled_weights, batch, halves, self.constants)

    @property
    def _compiled_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.input_weight, self.hidden_weight, self.bias + self.forget_bias

    def _loop(
        self,
        projected: Float[Tensor, "T B G"],
        state: LSTMState,
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll step by step behind the projected inputs."""
        fresh = self.initial_state(projected.shape[1])
        outputs: list[Tensor] = []
        for t, now in enumerate(projected.unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            state = self._cell(now, state)
            outputs.append(state.hidden)
        return torch.stack(outputs), state

    def _cell(self, now: Float[Tensor, "B G"], state: LSTMState) -> LSTMState:
        """One step from its projected input."""
        gates = torch.addmm(now, state.hidden, self.hidden_weight.t())
        i, f, candidate, o = gates.chunk(4, dim=1)
        input_gate, forget_gate, output_gate = i.sigmoid(), f.sigmoid(), o.sigmoid()
        if self.gates.watched:
            self.gates(torch.stack([input_gate, forget_gate, output_gate], dim=1))
        cell = forget_gate * state.cell + input_gate * torch.tanh(candidate)
        return LSTMState(output_gate * torch.tanh(cell), cell)

    def _without_episodes(
        self, inputs: Float[Tensor, "T B F"], state: LSTMState
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll where no episode begins after the first input: one call of PyTorch."""
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


class StackedLSTM(Core[LSTMState]):
    """Layers of LSTM with skip connections; the output is the hidden states of all, side by side.

    Source: Santoro et al., "Relational recurrent neural networks" (2018), appendix A.2: the input
    is joined to what each layer sees of the layer below.
    """

    def __init__(
        self, features: int, hidden: int, layers: int, fused: FusedOrTriton = "auto"
    ) -> None:
        super().__init__()
        self.hidden, self.output_size = hidden, hidden * layers
        widths = [features, *[features + hidden] * (layers - 1)]
        modules = nn.ModuleList(LSTM(width, hidden, fused) for width in widths)
        self.layers = cast("Sequence[LSTM]", modules)

    def initial_state(self, batch: int) -> LSTMState:
        """Zeros."""
        return _stack([layer.initial_state(batch) for layer in self.layers])

    def check_device(self, device: str) -> None:
        """Raise a `ValueError` if kernels or bfloat16 are requested and do not compute there."""
        self.layers[0].check_device(device)

    def step(
        self, x: Float[Tensor, "B F"], state: LSTMState
    ) -> tuple[Float[Tensor, "B D"], LSTMState]:
        """Consume one time step."""
        outputs, states = list[Tensor](), list[LSTMState]()
        for index, layer in enumerate(self.layers):
            below = torch.cat([x, *outputs[-1:]], dim=-1)
            y, after = layer.step(below, LSTMState(*(leaf[:, index] for leaf in state)))
            outputs.append(y)
            states.append(after)
        return torch.cat(outputs, dim=-1), _stack(states)

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: LSTMState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], LSTMState]:
        """Unroll layer by layer: no layer depends on one above it."""
        outputs, states = list[Tensor](), list[LSTMState]()
        for index, layer in enumerate(self.layers):
            below = torch.cat([inputs, *outputs[-1:]], dim=-1)
            y, after = layer(below, LSTMState(*(leaf[:, index] for leaf in state)), reset)
            outputs.append(y)
            states.append(after)
        return torch.cat(outputs, dim=-1), _stack(states)


def _stack(states: list[LSTMState]) -> LSTMState:
    return LSTMState(*(torch.stack(leaves, dim=1) for leaves in zip(*states, strict=True)))
