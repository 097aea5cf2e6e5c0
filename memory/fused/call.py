"""What all calls of compiled code share."""

# pyright: standard

import ctypes
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memory.fused.held import Held
from memory.fused.library import load

_log = logging.getLogger(__name__)

Fused = Literal["auto", "bf16", "never"]
"""Whether a core computes in compiled code: where it can, there in bfloat16, or never."""
FusedOrTriton = Literal["auto", "bf16", "triton", "never"]
"""Of a core that has kernels for GPUs too, see `memory.kernels`; on a CPU, triton is as auto."""


def library_of(module: str) -> ctypes.CDLL | str:
    """The compiled code beside a Python file, or why there is none, which is logged."""
    try:
        return load(Path(module).with_suffix(".cpp"))
    except RuntimeError as failure:
        warn_plain(str(failure))
        return str(failure)


@cache
def warn_plain(reason: str) -> None:
    """Log once for each reason that there is no compiled code."""
    _log.warning("computing in plain PyTorch, slower than compiled code: %s", reason)


def why_not_compiled(
    core: nn.Module, held: Held, names: Sequence[str], given: Iterable[Tensor]
) -> str | None:
    """Why no compiled code can compute a call, or None.

    Args:
        held: by the core.
        names: of the parameters that the core was built with.
        given: what it is called with.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return "it is being compiled or exported"
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on"
    return _unfit(given) or held.keep("why not", lambda: _why_not(core, names))


def why_not_in_halves(library: ctypes.CDLL | str, name: str, halves: bool) -> str | None:
    """Why there is no compiled code, or None.

    Args:
        library: from the `library` of a module of this package.
        name: of that module.
        halves: bfloat16 is requested.

    Raises:
        ValueError: bfloat16 is requested, and this CPU lacks it.
    """
    if isinstance(library, str):
        return library
    if halves and not getattr(library, f"engram_{name}_halves")():
        raise ValueError("fused=bf16: this CPU has no avx512_bf16; use fused=auto")
    return None


def why_not_as_built(core: nn.Module, names: Sequence[str]) -> str | None:
    """Why a core has to compute part by part, or None; `names` are those of its parameters."""
    if [name for name, _ in core.named_parameters()] != names:
        return "its parameters are not those it was built with"
    if any(_watched(module) for module in core.modules() if module is not core):
        return "a hook watches a part of it"
    return None


def _why_not(core: nn.Module, names: Sequence[str]) -> str | None:
    return why_not_as_built(core, names) or _unfit(core.parameters())


def _unfit(tensors: Iterable[Tensor]) -> str | None:
    for tensor in tensors:
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            return f"{tensor.dtype} on {tensor.device.type}"
        if type(tensor) not in (Tensor, nn.Parameter):
            return f"a tensor is a {type(tensor).__name__}"
    return None


def _watched(module: nn.Module) -> bool:
    before, after = module._forward_pre_hooks, module._forward_hooks
    return bool(before or after or module._backward_hooks or module._backward_pre_hooks)


class Kept:
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


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Where a tensor begins; null for none."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def pointers(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    """Where each of some tensors begins."""
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def pack(
    packing: Callable[..., int], shape: ctypes.Structure, weights: Sequence[Tensor]
) -> Float[Tensor, " N"]:
    """The weights as a forward pass reads them.

    Args:
        packing: the function that lays them out, where there is memory, and returns their number.
    """
    laid_out = [weight.detach().contiguous() for weight in weights]
    given = ctypes.byref(shape), pointers(laid_out)
    packed = torch.empty(packing(*given, pointer(None)))
    packing(*given, pointer(packed))
    return packed
