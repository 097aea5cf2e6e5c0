"""The relational memory core over a whole sequence in one call of compiled code, rmc.cpp.

It computes the same as the plain code of `memory.cores.rmc`, in float32 on a CPU; tests compare the
two. With `halves` it multiplies matrices in bfloat16 and adds up in float32. The weights are laid
out again in each call, so that no call uses old ones, unless they are held.
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

ROWS_PER_THREAD = 32
"""With fewer rows a thread costs more than it helps."""
WEIGHTS_PER_ROW = 300_000
"""With more weights for each row to compute, a new layout costs more than it helps."""


class Shape(ctypes.Structure):
    """Sizes that a call passes: `Shape` of rmc.cpp, field by field."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("steps", "batch", "features", "inputs", "slots")),
        *((name, ctypes.c_int64) for name in ("heads", "key", "value", "blocks", "layers")),
        *((name, ctypes.c_int64) for name in ("gates", "threads", "halves")),
        *((name, ctypes.c_float) for name in ("scale", "input_bias", "forget_bias")),
    ]


code = CompiledCode(__file__, counts=("kept", "pack"))


class FusedRMC:
    """Whole sequences of one relational memory core."""

    def __init__(self, core: nn.Module, input_shape: tuple[int, ...], **sizes: int | float) -> None:
        """Of a core as built; `sizes` are the fields of `Shape` that are the same in every call."""
        self.input_shape, self.sizes = input_shape, sizes
        # The order in which rmc.cpp takes them.
        self.names = [name for name, _ in core.named_parameters()]
        self.weights = sum(parameter.numel() for parameter in core.parameters())

    def why_not(
        self, core: nn.Module, held: Held, inputs: Tensor, state: Tensor, reset: Tensor | None
    ) -> str | None:
        """Why compiled code cannot compute this call, or None."""
        reason = why_not_compiled(core, held, self.names, (inputs, state))
        if reason:
            return reason
        if not self.fits(inputs, state, reset):
            return "inputs, state and resets do not go together"
        rows = inputs.shape[:2].numel() * self.sizes["slots"]
        if not held.open and rows * WEIGHTS_PER_ROW < self.weights:
            return "it is too little to compute for so many weights"
        return code.why_not(bool(self.sizes["halves"]))

    def fits(self, inputs: Tensor, state: Tensor, reset: Tensor | None) -> bool:
        """Whether the shapes are those that compiled code, which checks nothing, expects."""
        sizes = self.sizes
        width = sizes["heads"] * sizes["value"]
        return (
            inputs.numel() > 0
            and inputs.shape[2:] == self.input_shape
            and state.shape == (inputs.shape[1], sizes["slots"], width)
            and (reset is None or (reset.dtype, reset.shape) == (torch.bool, inputs.shape[:2]))
        )

    def __call__(
        self,
        core: nn.Module,
        held: Held,
        inputs: Float[Tensor, "T B *features"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, "T B"] | None,
        **biases: int | float,
    ) -> tuple[Float[Tensor, "T B units"], Float[Tensor, "B N D"]]:
        """Outputs and last state."""
        shape = self._shape_of(*inputs.shape[:2], **biases)
        weights = [*core.parameters()]
        packed = self._packed(held, shape, weights) if held.open else None
        learning = torch.is_grad_enabled()
        given = shape, learning, packed, inputs, state, reset, *weights
        return cast(Any, _Sequence.apply(*given))

    def step(self, core: nn.Module, held: Held, batch: int, **biases: int | float) -> CoreStep:
        """One step, for `memory.fused.acting`."""
        shape, weights = self._shape_of(1, batch, **biases), [*core.parameters()]
        packed = self._packed(held, shape, weights)
        return CoreStep(code.function("step"), shape, weights, packed)

    def _shape_of(self, steps: int, batch: int, **biases: int | float) -> Shape:
        worth = int(batch * self.sizes["slots"]) // ROWS_PER_THREAD
        threads = max(1, min(torch.get_num_threads(), worth))
        return Shape(steps=steps, batch=batch, threads=threads, **self.sizes, **biases)

    def _packed(self, held: Held, shape: Shape, weights: list[nn.Parameter]) -> Tensor:
        return held.keep("packed", lambda: code.pack(shape, weights))


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        shape: Shape,
        learning: bool,
        packed: Tensor | None,
        inputs: Tensor,
        state: Tensor,
        reset: Tensor | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        inputs, state = inputs.contiguous(), state.contiguous()
        reset = None if reset is None else reset.contiguous()
        parameters = tuple(parameter.contiguous() for parameter in parameters)
        outputs = inputs.new_empty(*inputs.shape[:2], state[0].numel())
        kept = None
        if learning and any(ctx.needs_input_grad):
            ctx.save_for_backward(inputs, reset, *parameters)
            ctx.set_materialize_grads(False)
            ctx.shape, ctx.state_shape = shape, state.shape
            ctx.kept = Kept(code.count("kept", shape))
            kept = ctx.kept.floats
        given = (packed, inputs, state, reset, outputs, kept)
        code.run("forward", shape, parameters, *given)
        return outputs, outputs[-1].view_as(state).clone()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_outputs: Tensor | None, d_final: Tensor | None
    ) -> Any:
        inputs, reset, *parameters = ctx.saved_tensors
        d_outputs = None if d_outputs is None else d_outputs.contiguous()
        d_final = None if d_final is None else d_final.contiguous()
        d_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[3] else None
        d_state = inputs.new_empty(ctx.state_shape)
        d_parameters = [torch.empty_like(parameter) for parameter in parameters]
        given = (inputs, reset, ctx.kept.floats, d_outputs, d_final, d_inputs, d_state)
        code.run("backward", ctx.shape, parameters, *given, d_parameters)
        return None, None, None, d_inputs, d_state, None, *d_parameters
