"""The steps of an LSTM behind its projected inputs, each step one kernel of Triton.

It computes the same as `memory.layers.lstm_unroll`, in float32; tests compare the two. A step is a
launch, forward or backward, and the weights' gradient is one product for all steps.

Why not one kernel for all steps: the recurrent weight of 256 units, 1 MB, does not fit into one
multiprocessor, which would read it again at each step; and several cannot share the units of an
element without a barrier between all of them at each step. By arithmetic, not measured, for 32
elements on an H200 with 132 multiprocessors: in programs of 16 elements each, 2 multiprocessors
do 8 million operations each at a step, at 0.5 per picosecond 17 us. With a launch at each step 32
of them do a sixteenth of that, read 64 KB each, and a launch in a captured graph costs some 2 us.
It takes about 2,000 elements until programs of whole elements occupy all multiprocessors.
"""

# pyright: standard

from contextlib import AbstractContextManager
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from memory.fused.call import why_not_as_built
from memory.fused.lstm import NAMES, fits
from memory.kernels.available import precision, why_not_computed

MULTIPROCESSORS = 128
"""About as many as a large GPU has: tiles are no larger than occupies all of them."""
UNITS, CHUNK, FEWEST_ROWS, MOST_ROWS = 16, 32, 16, 64


def unroll_lstm(
    projected: Float[Tensor, "T B gates"],
    weight: Float[Tensor, "gates D"],
    hidden: Float[Tensor, "B D"],
    cell: Float[Tensor, "B D"],
    reset: Bool[Tensor, "T B"] | None,
) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B D"], Float[Tensor, "B D"]]:
    """Hidden states of all steps, and the last hidden state and cell."""
    return _Unroll.apply(projected, weight, hidden, cell, reset)


def why_not(
    core: nn.Module, inputs: Tensor, hidden: Tensor, cell: Tensor, reset: Tensor | None
) -> str | None:
    """Why kernels cannot compute an unroll of an LSTM, or None."""
    if not fits(core.get_parameter("input_weight"), inputs, hidden, cell, reset):
        return "inputs, state and resets do not go together"
    tensors = [inputs, hidden, cell, *core.parameters()]
    return why_not_as_built(core, NAMES) or why_not_computed(tensors)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        weight: Tensor,
        hidden: Tensor,
        cell: Tensor,
        reset: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        from memory.kernels.lstm_steps import forward_step

        projected, weight, hidden, cell = (
            given.contiguous() for given in (projected, weight, hidden, cell)
        )
        is_first = None if reset is None else reset.contiguous().view(torch.uint8)
        outputs, cells = projected.new_empty(2, *projected.shape[:2], hidden.shape[1])
        gates = torch.empty_like(projected)
        launch = _Launch(hidden, is_first)
        before = hidden, cell
        with on_device_of(projected):
            for t, now in enumerate(projected):
                written = outputs[t], cells[t], gates[t]
                launch(forward_step, now, weight, *before, launch.is_first(t), *written)
                before = written[:2]
        ctx.save_for_backward(weight, hidden, cell, reset, outputs, cells, gates)
        return outputs, outputs[-1].clone(), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor
    ) -> Any:
        from memory.kernels.lstm_steps import backward_step

        weight, hidden, cell, reset, outputs, cells, gates = ctx.saved_tensors
        d_outputs, d_hidden = d_outputs.contiguous(), d_hidden.contiguous()
        d_cell = d_cell.clone(memory_format=torch.contiguous_format)
        d_gates = torch.empty_like(gates)
        launch = _Launch(hidden, None if reset is None else reset.contiguous().view(torch.uint8))
        last = len(gates) - 1
        with on_device_of(gates):
            for t in range(last, -1, -1):
                after = min(t + 1, last)
                launch(
                    backward_step,
                    *(weight, gates[t], cells[t - 1] if t else cell, cells[t], launch.is_first(t)),
                    *(d_outputs[t], d_hidden, d_gates[after], launch.is_first(after)),
                    *(d_cell, d_gates[t]),
                    LAST=t == last,
                )
        d_hidden = d_gates[0] @ weight
        hiddens = torch.cat([hidden[None], outputs[:-1]])
        if reset is not None:
            d_hidden = d_hidden.masked_fill(reset[0, :, None], 0)
            hiddens = hiddens.masked_fill(reset[..., None], 0)
        d_weight = d_gates.flatten(0, 1).t() @ hiddens.flatten(0, 1)
        return d_gates, d_weight, d_hidden, d_cell, None


class _Launch:
    """Launches kernels with the sizes of one unroll."""

    def __init__(self, hidden: Tensor, reset: Tensor | None) -> None:
        self.batch, width = hidden.shape
        self.reset, self.filler = reset, hidden
        columns = -(-width // UNITS)
        rows = MOST_ROWS
        while rows > FEWEST_ROWS and columns * -(-self.batch // rows) < MULTIPROCESSORS:
            rows //= 2
        self.grid = (-(-self.batch // rows), columns)
        self.sizes = {"WIDTH": width, "ROWS": rows, "UNITS": UNITS, "CHUNK": CHUNK}
        self.sizes |= {"HAS_RESET": reset is not None, "PRECISION": precision()}

    def is_first(self, t: int) -> Tensor:
        """Which elements begin an episode at a step; any tensor where that is not read."""
        return self.filler if self.reset is None else self.reset[t]

    def __call__(self, kernel: Any, *tensors: Tensor, **options: bool) -> None:
        kernel[self.grid](*tensors, self.batch, **self.sizes, **options)


def on_device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """Where Triton launches kernels: on the GPU of a tensor."""
    return torch.cuda.device_of(tensor)
