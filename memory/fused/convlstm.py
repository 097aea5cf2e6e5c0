"""The convolutional LSTM over a whole sequence in one call of compiled code, convlstm.cpp.

It computes the same as the plain code of `memory.cores.convlstm`, in float32 on a CPU; tests
compare the two. With `halves` it multiplies matrices in bfloat16 and adds up in float32. The
weights are laid out again in each call, so that no call uses old ones, unless they are held.
"""

# pyright: reportUnknownMemberType=false

import ctypes
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from memory.fused.acting import CoreStep
from memory.fused.call import Kept, why_not_compiled
from memory.fused.compiled_code import CompiledCode
from memory.fused.held import Held

PLACES_PER_THREAD = 128
"""With fewer places of maps a thread costs more than it helps."""
FEWEST_PLACES = 128
"""With fewer places, in all steps of the batch, a new layout of the weights costs more than it
helps."""
NAMES = ["input_weight", "hidden_weight", "bias"]

Weights = tuple[Float[Tensor, "P G I"], Float[Tensor, " G"]]
"""Of each place of the kernel, for the input and the hidden map side by side, and the whole bias;
gates in the order input, forget, candidate, output."""


class Shape(ctypes.Structure):
    """Sizes that a call passes: `Shape` of convlstm.cpp, field by field."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("steps", "batch", "features", "channels")),
        *((name, ctypes.c_int64) for name in ("height", "width", "kernel", "threads", "halves")),
    ]


code = CompiledCode(__file__, counts=("kept", "pack"))


def why_not(
    core: nn.Module,
    held: Held,
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    reset: Tensor | None,
    halves: bool,
) -> str | None:
    """Why compiled code cannot compute an unroll, or None.

    Raises:
        ValueError: bfloat16 is requested, and this CPU lacks it.
    """
    reason = why_not_compiled(core, held, NAMES, (inputs, hidden, cell))
    if reason:
        return reason
    gates, features = core.get_parameter("input_weight").shape[:2]
    state = (*inputs.shape[1:2], gates // 4, *inputs.shape[3:])
    if not (
        inputs.numel() > 0
        and inputs.dim() == 5
        and inputs.shape[2] == features
        and hidden.shape == cell.shape == state
        and (reset is None or (reset.dtype, reset.shape) == (torch.bool, inputs.shape[:2]))
    ):
        return "inputs, state and resets do not go together"
    if not held.open and inputs[:, :, 0].numel() < FEWEST_PLACES:
        return "it is too little to compute"
    return code.why_not(halves)


def unroll_compiled(
    held: Held,
    weights: Weights,
    inputs: Float[Tensor, "T B F H W"],
    hidden: Float[Tensor, "B C H W"],
    cell: Float[Tensor, "B C H W"],
    reset: Bool[Tensor, "T B"] | None,
    halves: bool,
) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
    """Hidden maps of all steps, flattened, and the last hidden map and cell.

    The last ones have their channels next to each other in memory, as the next call reads them.
    """
    steps, batch, _, height, width = inputs.shape
    shape = _shape_of(weights, steps, batch, height, width, halves)
    packed = _packed(held, shape, weights) if held.open else None
    hidden, cell = _channels_last(hidden), _channels_last(cell)
    learning = torch.is_grad_enabled()
    given = shape, learning, packed, inputs, hidden, cell, reset, *weights
    outputs, hidden, cell = cast(Any, _Sequence.apply(*given))
    return outputs, _channels_first(hidden), _channels_first(cell)


def compiled_step(
    held: Held, weights: Weights, batch: int, height: int, width: int, halves: bool
) -> CoreStep:
    """One step, for `memory.fused.acting`."""
    shape = _shape_of(weights, 1, batch, height, width, halves)
    return CoreStep(
        code.function("step"),
        shape,
        weights,
        _packed(held, shape, weights),
        outputs=torch.empty(batch, shape.channels * height * width),
        to_rows=_channels_last,
        from_rows=_channels_first,
    )


def _shape_of(
    weights: Weights, steps: int, batch: int, height: int, width: int, halves: bool
) -> Shape:
    taps, gates, seen = weights[0].shape
    channels, kernel = gates // 4, round(taps**0.5)
    worth = batch * height * width // PLACES_PER_THREAD
    threads = max(1, min(torch.get_num_threads(), worth))
    sizes = (steps, batch, seen - channels, channels, height, width, kernel, threads, halves)
    return Shape(*sizes)


def _channels_last(leaf: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W C"]:
    return leaf.movedim(1, -1)


def _channels_first(leaf: Float[Tensor, "B H W C"]) -> Float[Tensor, "B C H W"]:
    return leaf.movedim(-1, 1)


def _packed(held: Held, shape: Shape, weights: Weights) -> Float[Tensor, " N"]:
    return held.keep("packed", lambda: code.pack(shape, weights))


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        shape: Shape,
        learning: bool,
        packed: Tensor | None,
        inputs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        reset: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs, hidden, cell = (given.contiguous() for given in (inputs, hidden, cell))
        reset = None if reset is None else reset.contiguous()
        weights = tuple(weight.contiguous() for weight in weights)
        outputs = inputs.new_empty(*inputs.shape[:2], hidden[0].numel())
        last = torch.empty_like(hidden), torch.empty_like(cell)
        kept = None
        if learning and any(ctx.needs_input_grad):
            ctx.save_for_backward(inputs, hidden, cell, reset, outputs, *weights)
            ctx.shape = shape
            ctx.kept = Kept(code.count("kept", shape))
            kept = ctx.kept.floats
        given = (packed, inputs, hidden, cell, reset, outputs, *last, kept)
        code.run("forward", shape, weights, *given)
        return outputs, *last

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor
    ) -> Any:
        *given, weight, bias = ctx.saved_tensors
        weights = weight, bias
        d_outputs = d_outputs.contiguous()
        d_hidden, d_cell = (
            d.clone(memory_format=torch.contiguous_format) for d in (d_hidden, d_cell)
        )
        d_inputs = torch.empty_like(given[0]) if ctx.needs_input_grad[3] else None
        d_weights = [torch.empty_like(weight) for weight in weights]
        given += [ctx.kept.floats, d_outputs, d_hidden, d_cell, d_inputs]
        code.run("backward", ctx.shape, weights, *given, d_weights)
        return None, None, None, d_inputs, d_hidden, d_cell, None, *d_weights
