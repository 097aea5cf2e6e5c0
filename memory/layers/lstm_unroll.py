"""The steps of an LSTM behind its projected inputs, with a backward pass of its own.

Episodes may open at any step. What PyTorch would do at each step of the backward pass, the product
for the gradient of the weights, is done once for all steps. The gates i, f, g, o are those of
`memory.cores.lstm`, and an episode opens with zeros.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from memory.layers.recurrence import openings

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
    return _Unroll.apply(projected, weight, hidden, cell, openings(reset, len(projected)))


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        weight: Tensor,
        hidden: Tensor,
        cell: Tensor,
        opens: list[Tensor | None],
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, (batch, width) = len(projected), hidden.shape
        gates = torch.empty_like(projected)
        hiddens, cells, squashed, outputs = projected.new_empty(4, steps, batch, width)
        turned = weight.t()
        for t, (opening, now) in enumerate(zip(opens, gates.unbind(), strict=True)):
            if opening is not None:
                hidden, cell = (state.masked_fill(opening, 0) for state in (hidden, cell))
            hiddens[t], cells[t] = hidden, cell
            torch.addmm(projected[t], hidden, turned, out=now)
            write, keep, candidate, show = now.chunk(4, dim=1)
            now[:, : 2 * width].sigmoid_()
            candidate.tanh_()
            show.sigmoid_()
            cell = torch.addcmul(keep * cell, write, candidate)
            torch.tanh(cell, out=squashed[t])
            hidden = torch.mul(show, squashed[t], out=outputs[t])
        ctx.save_for_backward(weight, gates, hiddens, cells, squashed)
        ctx.opens = opens
        return outputs, hidden.clone(), cell

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor
    ) -> Any:
        weight, gates, hiddens, cells, squashed = ctx.saved_tensors
        d_gates = torch.empty_like(gates)
        for t in reversed(range(len(gates))):
            write, keep, candidate, show = gates[t].chunk(4, dim=1)
            d_write, d_keep, d_candidate, d_show = d_gates[t].chunk(4, dim=1)
            d_hidden = d_hidden + d_outputs[t]
            _sigmoid_backward(d_hidden * squashed[t], show, grad_input=d_show)
            d_cell = d_cell + torch.ops.aten.tanh_backward(d_hidden * show, squashed[t])
            _sigmoid_backward(d_cell * candidate, write, grad_input=d_write)
            _sigmoid_backward(d_cell * cells[t], keep, grad_input=d_keep)
            _tanh_backward(d_cell * write, candidate, grad_input=d_candidate)
            d_hidden, d_cell = d_gates[t] @ weight, d_cell * keep
            opening = ctx.opens[t]
            if opening is not None:
                d_hidden, d_cell = (d.masked_fill(opening, 0) for d in (d_hidden, d_cell))
        d_weight = d_gates.flatten(0, 1).t() @ hiddens.flatten(0, 1)
        return d_gates, d_weight, d_hidden, d_cell, None
