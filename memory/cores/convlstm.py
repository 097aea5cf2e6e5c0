"""Convolutional LSTM: an LSTM at every place of a feature map, with convolutions for products.

Source: Shi et al., "Convolutional LSTM network" (2015), as the Conv2DLSTM of Sonnet 1 computes it;
the baseline on BoxWorld of Santoro et al., "Relational recurrent neural networks" (2018), A.3.
With gates i, j, f, o cut from conv(x) + conv(h) + b:

    c' = sigmoid(f + 1) c + sigmoid(i) tanh(j)        h' = sigmoid(o) tanh(c')

Maps keep their size: they are padded with zeros, for an even kernel one more at the bottom and at
the right, as TensorFlow's SAME does.

Differs from the paper: no peephole connections (Sonnet's default has none).
"""

# pyright: standard

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.core import Core, CoreConfig, InputKind, select
from memory.fused.acting import CoreStep
from memory.fused.call import Fused
from memory.fused.convlstm import Weights, code, compiled_step, unroll_compiled, why_not
from memory.fused.held import Held
from memory.layers.initialisation import truncated_normal_
from memory.observed import Observed
from memory.options import input_shape_of, one_of, positive


class ConvLSTMState(NamedTuple):
    """What a convolutional LSTM carries from step to step."""

    hidden: Float[Tensor, "B C H W"]
    cell: Float[Tensor, "B C H W"]


@dataclass(frozen=True, kw_only=True)
class ConvLSTMConfig(CoreConfig):
    """Convolutional LSTM."""

    channels: int = 64
    """Channels of the hidden map."""
    kernel: int = 2
    """Height and width of the convolutions."""
    fused: Fused = "auto"
    """Compute sequences and actors' steps in compiled code where it is available (float32 on a CPU
    with a C++ compiler), or never. It gives first derivatives only. With bf16 matrices are
    multiplied in bfloat16, if the CPU has avx512_bf16: right to two or three digits only."""

    @property
    def input_kind(self) -> InputKind:
        """Maps."""
        return "map"

    @classmethod
    def of_width(cls, width: int) -> "ConvLSTMConfig":
        """Of `width` channels."""
        return cls(channels=width)

    @classmethod
    def small(cls) -> Mapping[str, "ConvLSTMConfig"]:
        """An even kernel, which is padded unevenly, and an odd one."""
        return {"": cls(channels=4), "odd kernel": cls(channels=2, kernel=3)}

    def build(self, input_shape: tuple[int, ...]) -> "ConvLSTM":
        """Make the core for inputs of shape (C, H, W)."""
        positive(channels=self.channels, kernel=self.kernel)
        one_of("fused", self.fused, get_args(Fused))
        return ConvLSTM(self, input_shape_of("convlstm", input_shape, "C", "H", "W"))


class ConvLSTM(Core[ConvLSTMState]):
    """Convolutional LSTM; the output is the hidden map, flattened."""

    def __init__(self, config: ConvLSTMConfig, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        features, height, width = input_shape
        channels, kernel = config.channels, config.kernel
        self.fused, self.held = config.fused, Held()
        self.map_shape = (channels, height, width)
        self.output_size = channels * height * width
        before = (kernel - 1) // 2
        self.padding = (before, kernel - 1 - before) * 2
        self.input_weight = nn.Parameter(torch.empty(4 * channels, features, kernel, kernel))
        self.hidden_weight = nn.Parameter(torch.empty(4 * channels, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(4 * channels))
        for weight in (self.input_weight, self.hidden_weight):
            truncated_normal_(weight, weight[0].numel())
        self.gates = Observed(gate=("input", "forget", "output"), channel=(), row=(), column=())

    def initial_state(self, batch: int) -> ConvLSTMState:
        """Zeros."""
        zeros = self.bias.new_zeros(batch, *self.map_shape)
        return ConvLSTMState(zeros, zeros.clone())

    def check_device(self, device: str) -> None:
        """Raise a `ValueError` if bfloat16 is requested and does not compute there."""
        if self.fused == "bf16" and device == "cpu":
            code.check_halves()

    def step(
        self, x: Float[Tensor, "B F H W"], state: ConvLSTMState
    ) -> tuple[Float[Tensor, "B D"], ConvLSTMState]:
        """Consume one time step."""
        if self.held.open and self.why_plain(x[None], state) is None:
            outputs, state = self._unroll_compiled(x[None], state, None)
            return outputs[0], state
        state = self._update(self._read_input(x), state)
        return state.hidden.flatten(1), state

    def step_from(
        self, x: Float[Tensor, "B F H W"], state: ConvLSTMState, reset: Bool[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B D"], ConvLSTMState]:
        """As `step`, from a fresh state where `reset`."""
        if self.held.open and self.why_plain(x[None], state, reset[None]) is None:
            outputs, state = self._unroll_compiled(x[None], state, reset[None])
            return outputs[0], state
        return super().step_from(x, state, reset)

    def forward(
        self,
        inputs: Float[Tensor, "T B F H W"],
        state: ConvLSTMState,
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], ConvLSTMState]:
        """Unroll over time; in plain code, with the inputs of all times convolved at once."""
        if self.why_plain(inputs, state, reset) is None:
            return self._unroll_compiled(inputs, state, reset)
        fresh = None if reset is None else self.initial_state(inputs.shape[1])
        from_inputs = self._read_input(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        hiddens: list[Tensor] = []
        for t, now in enumerate(from_inputs.unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            state = self._update(now, state)
            hiddens.append(state.hidden)
        return torch.stack(hiddens).flatten(2), state

    def why_plain(
        self, inputs: Tensor, state: ConvLSTMState, reset: Tensor | None = None
    ) -> str | None:
        """Why compiled code cannot compute an unroll, or None."""
        if self.fused == "never":
            return "fused=never"
        return why_not(self, self.held, inputs, *state, reset, self.fused == "bf16")

    def _unroll_compiled(
        self,
        inputs: Float[Tensor, "T B F H W"],
        state: ConvLSTMState,
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "T B D"], ConvLSTMState]:
        by_tap = self._weights_by_tap
        weights = by_tap() if torch.is_grad_enabled() else self.held.keep("by tap", by_tap)
        halves = self.fused == "bf16"
        outputs, *end = unroll_compiled(self.held, weights, inputs, *state, reset, halves)
        return outputs, ConvLSTMState(*end)

    def compiled_step(self, batch: int) -> CoreStep | None:
        """See `memory.fused.acting.HasCompiledStep`."""
        features, (_, height, width) = self.input_weight.shape[1], self.map_shape
        x = self.input_weight.new_empty(1, batch, features, height, width)
        if self.why_plain(x, self.initial_state(batch)) is not None:
            return None
        weights = self.held.keep("by tap", self._weights_by_tap)
        return compiled_step(self.held, weights, batch, height, width, self.fused == "bf16")

    def _weights_by_tap(self) -> Weights:
        """The weights as compiled code takes them."""
        weight = torch.cat([self.input_weight, self.hidden_weight], dim=1)
        i, candidate, f, o = weight.movedim((2, 3), (0, 1)).flatten(0, 1).chunk(4, dim=1)
        i_bias, candidate_bias, f_bias, o_bias = self.bias.chunk(4)
        bias = torch.cat([i_bias, f_bias + 1.0, candidate_bias, o_bias])
        return torch.cat([i, f, candidate, o], dim=1), bias

    def _read_input(self, x: Float[Tensor, "B F H W"]) -> Float[Tensor, "B G H W"]:
        return functional.conv2d(functional.pad(x, self.padding), self.input_weight, self.bias)

    def _update(self, from_input: Float[Tensor, "B G H W"], state: ConvLSTMState) -> ConvLSTMState:
        hidden = functional.pad(state.hidden, self.padding)
        gates = from_input + functional.conv2d(hidden, self.hidden_weight)
        i, candidate, f, o = gates.chunk(4, dim=1)
        input_gate, forget_gate, output_gate = i.sigmoid(), (f + 1.0).sigmoid(), o.sigmoid()
        if self.gates.watched:
            self.gates(torch.stack([input_gate, forget_gate, output_gate], dim=1))
        cell = forget_gate * state.cell + input_gate * torch.tanh(candidate)
        return ConvLSTMState(output_gate * torch.tanh(cell), cell)
