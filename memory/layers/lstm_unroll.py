"""The steps of an LSTM behind its projected inputs, with a backward pass of its own.

An episode may begin at any step. The product for the gradient of the weights, which PyTorch would
compute at each step of the backward pass, is computed once for all steps. The gates i, f, g, o are
those of `memory.cores.lstm`; the state before the first step of an episode is zero.
"""

# pyright: standard

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from memory.layers.recurrence import first_steps

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def unroll_lstm(
    projected: Float[Tensor, "T B gates"],
    weight: Float[Tensor, "gates D"],
    hidden: Float[Tensor, "B D"],
    cell: Float[Tensor, "B D"],
    reset: Bool[Tensor, "T B"] | None,
) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B D"], Float[Tensor, "B D"]]:
    """Hidden states of all steps, and the last hidden state and cell."""
    return _Unroll.apply(projected, weight, hidden, cell, first_steps(reset, len(projected)))


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        weight: Tensor,
        hidden: Tensor,
        cell: Tensor,
        is_first: list[Tensor | None],
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, (batch, width) = len(projected), hidden.shape
        gates = torch.empty_like(projected)
        hiddens, cells, squashed, outputs = projected.new_empty(4, steps, batch, width)
        turned = weight.t()
        for t, (first, now) in enumerate(zip(is_first, gates.unbind(), strict=True)):
            if first is not None:
                hidden, cell = (state.masked_fill(first, 0) for state in (hidden, cell))
            hiddens[t], cells[t] = hidden, cell
            torch.addmm(projected[t], hidden, turned, out=now)
            i, f, g, o = now.chunk(4, dim=1)
            now[:, : 2 * width].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            cell = torch.addcmul(f * cell, i, g)
            torch.tanh(cell, out=squashed[t])
            hidden = torch.mul(o, squashed[t], out=outputs[t])
        ctx.save_for_backward(weight, gates, hiddens, cells, squashed)
        ctx.is_first = is_first
        return outputs, hidden.clone(), cell

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor
    ) -> Any:
        weight, gates, hiddens, cells, squashed = ctx.saved_tensors
        d_gates = torch.empty_like(gates)
        for t in reversed(range(len(gates))):
            i, f, g, o = gates[t].chunk(4, dim=1)
            d_i, d_f, d_g, d_o = d_gates[t].chunk(4, dim=1)
            d_hidden = d_hidden + d_outputs[t]
            _sigmoid_backward(d_hidden * squashed[t], o, grad_input=d_o)
            d_cell = d_cell + torch.ops.aten.tanh_backward(d_hidden * o, squashed[t])
            _sigmoid_backward(d_cell * g, i, grad_input=d_i)
            _sigmoid_backward(d_cell * cells[t], f, grad_input=d_f)
            _tanh_backward(d_cell * i, g, grad_input=d_g)
            d_hidden, d_cell = d_gates[t] @ weight, d_cell * f
            first = ctx.is_first[t]
            if first is not None:
                d_hidden, d_cell = (d.masked_fill(first, 0) for d in (d_hidden, d_cell))
        d_weight = d_gates.flatten(0, 1).t() @ hiddens.flatten(0, 1)
        return d_gates, d_weight, d_hidden, d_cell, None
