"""Gated recurrent unit.

Source: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), section 2.3:

    r, z = sigmoid(W x + U h + b)      n = tanh(W_n x + b_n + r (U_n h + c_n))
    h' = (1 - z) n + z h

Differs from the paper: the reset gate r acts behind the product with U_n, not before it, as in
torch.nn.GRU, with which weights and their order (r, z, n) agree.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from memory.core import Core, CoreConfig, select
from memory.layers.aligned_linear import aligned_linear
from memory.layers.gru_unroll import unroll_gru
from memory.layers.initialisation import truncated_normal_
from memory.layers.recurrence import has_own_backward
from memory.observed import Observed
from memory.options import input_shape_of, positive


@dataclass(frozen=True, kw_only=True)
class GRUConfig(CoreConfig):
    """Gated recurrent unit."""

    hidden: int = 256
    """Hidden units."""

    def build(self, input_shape: tuple[int, ...]) -> "GRU":
        """Make the core for inputs of shape (F,)."""
        positive(hidden=self.hidden)
        (features,) = input_shape_of("gru", input_shape, "F")
        return GRU(features, self.hidden)


class GRU(Core[Tensor]):
    """Gated recurrent unit; state and output are the hidden units, [B, D]."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.output_size = hidden
        self.input_weight = nn.Parameter(torch.empty(3 * hidden, features))
        self.hidden_weight = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.input_bias = nn.Parameter(torch.zeros(3 * hidden))
        self.hidden_bias = nn.Parameter(torch.zeros(3 * hidden))
        self.gates = Observed(gate=("reset", "update"), unit=())
        for weight in (self.input_weight, self.hidden_weight):
            truncated_normal_(weight, features + hidden)

    def initial_state(self, batch: int) -> Float[Tensor, "B D"]:
        """Zeros."""
        return self.input_bias.new_zeros(batch, self.output_size)

    @property
    def _weights(self) -> list[Tensor]:
        return [self.input_weight, self.hidden_weight, self.input_bias, self.hidden_bias]

    def step(
        self, x: Float[Tensor, "B F"], state: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """Consume one time step."""
        if self.gates.watched:
            state = self._cell(functional.linear(x, self.input_weight, self.input_bias), state)
        else:
            state = torch.gru_cell(x, state, *self._weights)
        return state, state

    def forward(
        self,
        inputs: Float[Tensor, "T B F"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B D"]]:
        """Unroll over time."""
        if reset is None and inputs.is_cuda:
            return self._without_episodes(inputs, state)
        projected = aligned_linear(inputs, self.input_weight, self.input_bias)
        if self.gates.watched or not has_own_backward(inputs):
            return self._loop(projected, state, reset)
        return unroll_gru(projected, self.hidden_weight, self.hidden_bias, state, reset)

    def _loop(
        self,
        projected: Float[Tensor, "T B G"],
        state: Float[Tensor, "B D"],
        reset: Bool[Tensor, "T B"] | None,
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B D"]]:
        """Unroll step by step behind the projected inputs."""
        fresh = self.initial_state(projected.shape[1])
        outputs: list[Tensor] = []
        for t, now in enumerate(projected.unbind()):
            if reset is not None:
                state = select(reset[t], fresh, state)
            state = self._cell(now, state)
            outputs.append(state)
        return torch.stack(outputs), state

    def _cell(self, now: Float[Tensor, "B G"], state: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """One step from its projected input."""
        carried = functional.linear(state, self.hidden_weight, self.hidden_bias)
        width = self.output_size
        gates = torch.sigmoid(now[:, : 2 * width] + carried[:, : 2 * width])
        if self.gates.watched:
            self.gates(gates.unflatten(1, (2, width)))
        reset_gate, update_gate = gates.chunk(2, dim=1)
        candidate = torch.tanh(now[:, 2 * width :] + reset_gate * carried[:, 2 * width :])
        return candidate + update_gate * (state - candidate)  # types may differ in autocast

    def _without_episodes(
        self, inputs: Float[Tensor, "T B F"], state: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B D"]]:
        """Unroll where no episode begins: one call of PyTorch."""
        outputs, hidden = torch.gru(
            inputs,
            state[None],
            self._weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=False,
        )
        return outputs, hidden[0]
