"""The steps of a GRU behind its projected inputs, with a backward pass of its own.

An episode may begin at any step. The product for the gradient of the weights, which PyTorch would
compute at each step of the backward pass, is computed once for all steps. The gates r, z, n are
those of `memory.cores.gru`; the state before the first step of an episode is zero.
"""

# pyright: reportUnknownMemberType=false

from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from memory.layers.recurrence import first_steps

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def unroll_gru(
    projected: Float[Tensor, "T B gates"],
    weight: Float[Tensor, "gates D"],
    bias: Float[Tensor, " gates"],
    hidden: Float[Tensor, "B D"],
    reset: Bool[Tensor, "T B"] | None,
) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B D"]]:
    """Hidden states of all steps, and the last."""
    starts = first_steps(reset, len(projected))
    return cast(Any, _Unroll.apply(projected, weight, bias, hidden, starts))


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        weight: Tensor,
        bias: Tensor,
        hidden: Tensor,
        is_first: list[Tensor | None],
    ) -> tuple[Tensor, Tensor]:
        steps, (batch, width) = len(projected), hidden.shape
        gates = torch.empty_like(projected)
        hiddens, carried, outputs = projected.new_empty(3, steps, batch, width)
        now = projected.new_empty(batch, 3 * width)
        turned = weight.t()
        for t, first in enumerate(is_first):
            if first is not None:
                hidden = hidden.masked_fill(first, 0)
            hiddens[t] = hidden
            torch.addmm(bias, hidden, turned, out=now)
            carried[t] = now[:, 2 * width :]
            both = torch.add(
                projected[t, :, : 2 * width], now[:, : 2 * width], out=gates[t, :, : 2 * width]
            )
            r, z = both.sigmoid_().chunk(2, dim=1)
            candidate = gates[t, :, 2 * width :]
            torch.addcmul(projected[t, :, 2 * width :], r, carried[t], out=candidate).tanh_()
            hidden = torch.lerp(candidate, hidden, z, out=outputs[t])
        ctx.save_for_backward(weight, gates, hiddens, carried)
        ctx.is_first = is_first
        return outputs, hidden.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_hidden: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        weight, gates, hiddens, carried = ctx.saved_tensors
        d_projected, d_carried = torch.empty_like(gates), torch.empty_like(gates)
        width = hiddens.shape[-1]
        for t in reversed(range(len(gates))):
            r, z, candidate = gates[t].chunk(3, dim=1)
            d_r, d_z, d_candidate = d_projected[t].chunk(3, dim=1)
            d_hidden = d_hidden + d_outputs[t]
            _tanh_backward(d_hidden * (1 - z), candidate, grad_input=d_candidate)
            _sigmoid_backward(d_hidden * (hiddens[t] - candidate), z, grad_input=d_z)
            _sigmoid_backward(d_candidate * carried[t], r, grad_input=d_r)
            d_carried[t, :, : 2 * width] = d_projected[t, :, : 2 * width]
            torch.mul(d_candidate, r, out=d_carried[t, :, 2 * width :])
            d_hidden = torch.addmm(d_hidden * z, d_carried[t], weight)
            first = ctx.is_first[t]
            if first is not None:
                d_hidden = d_hidden.masked_fill(first, 0)
        flat = d_carried.flatten(0, 1)
        d_weight = flat.t() @ hiddens.flatten(0, 1)
        return d_projected, d_weight, flat.sum(0), d_hidden, None
