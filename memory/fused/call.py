"""What calls of compiled code have in common: when they are possible, and the memory they keep."""

# pyright: standard

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from memory.fused.held import Held

Fused = Literal["auto", "bf16", "never"]
"""Whether a core computes in compiled code: where it can, there in bfloat16, or never."""
FusedOrTriton = Literal["auto", "bf16", "triton", "never"]
"""Of a core that has kernels for GPUs too, see `memory.kernels`; on a CPU, triton is as auto."""


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
