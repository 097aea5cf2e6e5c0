"""The LSTM over a whole sequence in one call of compiled code, lstm.cpp.

It computes the same as the plain code of `memory.cores.lstm`, in float32 on a CPU; tests compare
the two. With `halves` it multiplies matrices in bfloat16 and adds up in float32. The weights are
laid out again in each call, so that no call uses old ones, unless they are held.
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

ROWS_PER_THREAD = 16
"""With fewer elements of the batch a thread costs more than it helps."""
FEWEST_ROWS = 64
"""With fewer steps in all of the batch, a new layout of the weights costs more than it helps."""
NOT_CONSTANT = 2
"""What a call returns whose inputs lack the constants."""
NAMES = ["input_weight", "hidden_weight", "bias"]


class Shape(ctypes.Structure):
    """Sizes that a call passes: `Shape` of lstm.cpp, field by field."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            *("steps", "batch", "features", "width", "threads", "halves"),
            *("constant", "constants"),
        )
    ]


code = CompiledCode(__file__, counts=("gates", "pack"))


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
    if not fits(core.get_parameter("input_weight"), inputs, hidden, cell, reset):
        return "inputs, state and resets do not go together"
    if not held.open and inputs.shape[:2].numel() < FEWEST_ROWS:
        return "it is too little to compute"
    return code.why_not(halves)


def fits(
    weight: Tensor, inputs: Tensor, hidden: Tensor, cell: Tensor, reset: Tensor | None
) -> bool:
    """Whether the shapes are those that compiled code, which checks nothing, expects."""
    batch, width = inputs.shape[1:2], len(weight) // 4
    return (
        inputs.numel() > 0
        and inputs.dim() == 3
        and inputs.shape[2] == weight.shape[1]
        and hidden.shape == cell.shape == (*batch, width)
        and (reset is None or (reset.dtype, reset.shape) == (torch.bool, inputs.shape[:2]))
    )


Weights = tuple[Float[Tensor, "G F"], Float[Tensor, "G D"], Float[Tensor, " G"]]


def unroll_compiled(
    held: Held,
    weights: Weights,
    inputs: Float[Tensor, "T B F"],
    hidden: Float[Tensor, "B D"],
    cell: Float[Tensor, "B D"],
    reset: Bool[Tensor, "T B"] | None,
    halves: bool,
    constants: range,
) -> tuple[Float[Tensor, "T B D"], Float[Tensor, "B D"], Float[Tensor, "B D"]]:
    """Hidden states of all steps, and the last hidden state and cell.

    Args:
        weights: of the inputs and of the hidden state, and the whole bias; G is 4 D.
        constants: see `Core.constants`.

    Raises:
        ValueError: these numbers of the inputs are not constant.
    """
    steps, batch, _ = inputs.shape
    shape = _shape_of(weights, steps, batch, halves, constants)
    packed = _packed(held, shape, weights) if held.open else None
    return cast(Any, _Sequence.apply(shape, packed, inputs, hidden, cell, reset, *weights))


def compiled_step(
    held: Held, weights: Weights, batch: int, halves: bool, constants: range
) -> CoreStep:
    """One step, for `memory.fused.acting`; arguments as of `unroll_compiled`."""
    shape = _shape_of(weights, 1, batch, halves, constants)
    gates = torch.empty(code.count("gates", shape))
    return CoreStep(
        code.function("step"), shape, weights, _packed(held, shape, weights), scratch=gates
    )


def _shape_of(weights: Weights, steps: int, batch: int, halves: bool, constants: range) -> Shape:
    threads = max(1, min(torch.get_num_threads(), batch // ROWS_PER_THREAD))
    features, width = weights[0].shape[1], weights[1].shape[1]
    return Shape(steps, batch, features, width, threads, halves, constants.start, len(constants))


def _packed(held: Held, shape: Shape, weights: Weights) -> Float[Tensor, " N"]:
    return held.keep("packed", lambda: code.pack(shape, weights))


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        shape: Shape,
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
        outputs, cells = inputs.new_empty(2, *inputs.shape[:2], hidden.shape[1])
        gates = Kept(code.count("gates", shape))
        given = (packed, inputs, hidden, cell, reset, outputs, cells, gates.floats)
        if code.run("forward", shape, weights, *given) == NOT_CONSTANT:
            first, last = shape.constant, shape.constant + shape.constants
            raise ValueError(f"lstm: numbers {first} to {last} of the inputs are not constant")
        ctx.save_for_backward(inputs, hidden, cell, reset, outputs, cells, *weights)
        ctx.shape, ctx.gates = shape, gates
        return outputs, outputs[-1].clone(), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_outputs: Tensor, d_hidden: Tensor, d_cell: Tensor
    ) -> Any:
        *given, one, other, bias = ctx.saved_tensors
        weights = (one, other, bias)
        d_outputs = d_outputs.contiguous()
        d_hidden, d_cell = (
            d.clone(memory_format=torch.contiguous_format) for d in (d_hidden, d_cell)
        )
        d_inputs = torch.empty_like(given[0]) if ctx.needs_input_grad[2] else None
        d_weights = [torch.empty_like(weight) for weight in weights]
        given += [ctx.gates.floats, d_outputs, d_hidden, d_cell, d_inputs]
        code.run("backward", ctx.shape, weights, *given, d_weights)
        return None, None, d_inputs, d_hidden, d_cell, None, *d_weights
