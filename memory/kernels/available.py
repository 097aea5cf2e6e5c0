"""Whether Triton is installed, and whether its kernels compute on a device."""

import logging
import os
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

_log = logging.getLogger(__name__)

INTERPRETER = "TRITON_INTERPRET"
"""Environment variable: with 1, Triton runs kernels on the CPU, one operation after the other."""
OLDEST = (3, 3)
"""The first version that multiplies matrices of fewer than 16 rows."""


def interprets() -> bool:
    """Whether kernels run in Triton's interpreter."""
    return os.environ.get(INTERPRETER) == "1"


def why_no_kernels(device: str) -> str | None:
    """Why no kernel computes on a type of device, or None."""
    reason = _why_no_triton()
    if reason is None and device != "cuda" and not interprets():
        return f"its kernels compute on a GPU, and the device is {device}"
    return reason


def check_kernels(device: str) -> None:
    """Raise a `ValueError` if kernels are requested and cannot compute on this type of device."""
    if reason := why_no_kernels(device):
        raise ValueError(f"fused=triton: {reason}; use fused=auto")


def why_not_computed(tensors: Sequence[Tensor]) -> str | None:
    """Why kernels do not compute on these tensors, or None."""
    device = tensors[0].device.type
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return "it is being compiled or exported"
    if torch.is_autocast_enabled(device):
        return "autocast is on"
    for tensor in tensors:
        if type(tensor) not in (Tensor, nn.Parameter):
            return f"a tensor is a {type(tensor).__name__}"
        if tensor.dtype != torch.float32 or tensor.device.type != device:
            return f"{tensor.dtype} on {tensor.device.type}"
    return why_not_on(device)


def why_not_on(device: str) -> str | None:
    """As `why_no_kernels`, and a GPU that kernels could use is logged, once."""
    reason = why_no_kernels(device)
    if reason and device == "cuda":
        _warn(reason)
    return reason


def precision() -> str:
    """How kernels multiply matrices: in float32, or in TF32 where PyTorch itself may."""
    return "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"


@cache
def _why_no_triton() -> str | None:
    try:
        triton: Any = import_module("triton")  # no types come with it
    except ImportError as error:
        return f"Triton cannot be imported ({error})"
    version = triton.__version__
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        return f"Triton {version} is too old, {'.'.join(map(str, OLDEST))} is needed"
    return None


@cache
def _warn(reason: str) -> None:
    _log.warning("fused=triton computes in plain PyTorch: %s", reason)
