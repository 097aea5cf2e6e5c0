"""The relational memory core over a whole sequence in one call of compiled code, rmc.cpp.

It computes what the plain code of `memory.rmc` does, in float32 on a CPU; tests hold the two
together. Asked to, it multiplies matrices in bfloat16 and adds up in float32. The weights are laid
out anew in each call, so that no call can see old ones.
"""

import ctypes
import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from memory.fused.library import load

_log = logging.getLogger(__name__)

ROWS_PER_THREAD = 32
"""With fewer rows a thread costs more than it helps."""
WEIGHTS_PER_ROW = 300_000
"""With more weights for each row to compute, their new layout costs more than it helps."""


class Shape(ctypes.Structure):
    """What a call is told in numbers: `Shape` of rmc.cpp, field by field."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("steps", "batch", "features", "inputs", "slots")),
        *((name, ctypes.c_int64) for name in ("heads", "key", "value", "blocks", "layers")),
        *((name, ctypes.c_int64) for name in ("gates", "threads", "halves")),
        *((name, ctypes.c_float) for name in ("scale", "input_bias", "forget_bias")),
    ]


@cache
def library() -> ctypes.CDLL | str:
    """The compiled code, or why there is none, which is said once."""
    try:
        found = load(Path(__file__).with_suffix(".cpp"))
    except RuntimeError as failure:
        _log.warning("rmc computes in plain PyTorch, slower than compiled: %s", failure)
        return str(failure)
    found.engram_rmc_kept.restype = ctypes.c_int64
    return found


class FusedRMC:
    """Whole sequences of one relational memory core."""

    def __init__(self, core: nn.Module, input_shape: tuple[int, ...], **sizes: int | float) -> None:
        """Know a core as it is built; `sizes` are the fields of `Shape` that no call changes."""
        self.input_shape, self.sizes = input_shape, sizes
        # In this order rmc.cpp takes them.
        self.names = [name for name, _ in core.named_parameters()]
        self.weights = sum(parameter.numel() for parameter in core.parameters())

    def why_not(
        self, core: nn.Module, inputs: Tensor, state: Tensor, reset: Tensor | None
    ) -> str | None:
        """Why this call is for plain PyTorch, or None."""
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
            return "it is being compiled or exported"
        if torch.is_autocast_enabled("cpu"):
            return "autocast is on"
        parameters = dict(core.named_parameters())
        if [*parameters] != self.names:
            return "its parameters are not those it was built with"
        for tensor in (inputs, state, *parameters.values()):
            if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
                return f"{tensor.dtype} on {tensor.device.type}"
            if type(tensor) not in (Tensor, nn.Parameter):
                return f"a tensor is a {type(tensor).__name__}"
        if not self._fits(inputs, state, reset):
            return "inputs, state and resets do not go together"
        if inputs.shape[:2].numel() * self.sizes["slots"] * WEIGHTS_PER_ROW < self.weights:
            return "it is too little to compute for so many weights"
        if any(_watched(module) for module in core.modules() if module is not core):
            return "a hook watches a part of it"
        found = library()
        if isinstance(found, str):
            return found
        if self.sizes["halves"] and not found.engram_rmc_halves():
            raise ValueError("fused=bf16: this CPU has no avx512_bf16; use fused=auto")
        return None

    def _fits(self, inputs: Tensor, state: Tensor, reset: Tensor | None) -> bool:
        """Whether compiled code, which checks nothing, may read them."""
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
        inputs: Float[Tensor, "T B *features"],
        state: Float[Tensor, "B N D"],
        reset: Bool[Tensor, "T B"] | None,
        **biases: int | float,
    ) -> tuple[Float[Tensor, "T B units"], Float[Tensor, "B N D"]]:
        """Outputs and last state."""
        steps, batch = inputs.shape[:2]
        worth = batch * state.shape[1] // ROWS_PER_THREAD
        threads = max(1, min(torch.get_num_threads(), worth))
        shape = Shape(steps=steps, batch=batch, threads=threads, **self.sizes, **biases)
        learning = torch.is_grad_enabled()
        return _Sequence.apply(shape, learning, inputs, state, reset, *core.parameters())


def _watched(module: nn.Module) -> bool:
    before, after = module._forward_pre_hooks, module._forward_hooks
    return bool(before or after or module._backward_hooks or module._backward_pre_hooks)


class _Kept:
    """What a forward pass keeps for its backward pass.

    Memory new to the process costs more than what is written there, so the largest piece that was
    ever let go is kept, and used again.
    """

    spare: ClassVar[list[Tensor]] = []

    def __init__(self, floats: int) -> None:
        try:
            piece = self.spare.pop()
        except IndexError:
            piece = torch.empty(0)
        fits = len(piece) >= floats
        self.floats = piece if fits else torch.empty(floats, dtype=torch.float32, device="cpu")

    def __del__(self) -> None:
        self.spare.append(self.floats)
        self.spare.sort(key=len)
        del self.spare[:-1]


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        shape: Shape,
        learning: bool,
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
            ctx.kept = _Kept(_code().engram_rmc_kept(ctypes.byref(shape)))
            kept = ctx.kept.floats
        given = (inputs, state, reset, outputs, kept)
        failed = _code().engram_rmc_forward(
            ctypes.byref(shape), _pointers(parameters), *map(_pointer, given)
        )
        if failed:
            raise MemoryError(f"rmc: no memory for {shape.threads} threads to work in")
        return outputs, outputs[-1].view_as(state).clone()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_outputs: Tensor | None, d_final: Tensor | None
    ) -> Any:
        inputs, reset, *parameters = ctx.saved_tensors
        d_outputs = None if d_outputs is None else d_outputs.contiguous()
        d_final = None if d_final is None else d_final.contiguous()
        d_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[2] else None
        d_state = inputs.new_empty(ctx.state_shape)
        d_parameters = [torch.empty_like(parameter) for parameter in parameters]
        given = (inputs, reset, ctx.kept.floats, d_outputs, d_final, d_inputs, d_state)
        failed = _code().engram_rmc_backward(
            ctypes.byref(ctx.shape),
            _pointers(parameters),
            *map(_pointer, given),
            _pointers(d_parameters),
        )
        if failed:
            raise MemoryError(f"rmc: no memory for {ctx.shape.threads} threads to work in")
        return None, None, d_inputs, d_state, None, *d_parameters


def _code() -> ctypes.CDLL:
    found = library()
    assert not isinstance(found, str), found
    return found


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _pointers(tensors: Sequence[Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
