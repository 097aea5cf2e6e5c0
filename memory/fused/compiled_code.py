"""The compiled code beside a Python module: what is loaded, and how it is called."""

# pyright: standard

import ctypes
import logging
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from memory.fused.library import load

NO_MEMORY = 1
"""What a function returns if there is no memory to work in."""
_log = logging.getLogger(__name__)


class CompiledCode:
    """NAME.cpp beside NAME.py, loaded when first used; its functions are named `engram_NAME_*`.

    Args:
        module: path of NAME.py.
        counts: functions that return a number; the others return 0, or why they failed.
    """

    def __init__(self, module: str, counts: Sequence[str] = ()) -> None:
        self._source, self._counts = Path(module).with_suffix(".cpp"), counts
        self.name = self._source.stem

    @cached_property
    def library(self) -> ctypes.CDLL | str:
        """What is loaded, or why there is nothing, which is logged once."""
        try:
            library = load(self._source)
        except RuntimeError as failure:
            warn_plain(str(failure))
            return str(failure)
        for name in self._counts:
            getattr(library, f"engram_{self.name}_{name}").restype = ctypes.c_int64
        return library

    @property
    def missing(self) -> str | None:
        """Why there is no compiled code, or None."""
        return self.library if isinstance(self.library, str) else None

    @property
    def has_halves(self) -> bool:
        """Whether it multiplies in bfloat16 on this CPU."""
        return bool(self.function("halves")())

    def why_not(self, halves: bool) -> str | None:
        """Why there is no compiled code, or None.

        Args:
            halves: bfloat16 is requested.

        Raises:
            ValueError: bfloat16 is requested, and this CPU lacks it.
        """
        if halves:
            self.check_halves()
        return self.missing

    def check_halves(self) -> None:
        """Raise a `ValueError` if there is compiled code, and this CPU has no bfloat16."""
        if self.missing is None and not self.has_halves:
            raise ValueError("fused=bf16: this CPU has no avx512_bf16; use fused=auto")

    def function(self, name: str) -> Any:
        """A function, for other compiled code or to call."""
        assert not isinstance(self.library, str), self.library
        return getattr(self.library, f"engram_{self.name}_{name}")

    def count(self, name: str, shape: ctypes.Structure) -> int:
        """What a function counts for calls of a shape."""
        return self.function(name)(ctypes.byref(shape))

    def run(self, name: str, shape: Any, *given: Any) -> int:
        """Call a function with tensors, lists of them, None for null, and numbers of C.

        Returns:
            What the function does: 0, or why it failed.

        Raises:
            MemoryError: there is no memory for its threads.
        """
        failed = self.function(name)(ctypes.byref(shape), *map(_passed, given))
        if failed == NO_MEMORY:
            raise MemoryError(f"{self.name}: no memory for {shape.threads} threads to work in")
        return failed

    def pack(self, shape: ctypes.Structure, weights: Sequence[Tensor]) -> Float[Tensor, " N"]:
        """The weights as a forward pass reads them."""
        laid_out = [weight.detach().contiguous() for weight in weights]
        given = ctypes.byref(shape), pointers(laid_out)
        packing = self.function("pack")
        packed = torch.empty(packing(*given, pointer(None)))
        packing(*given, pointer(packed))
        return packed


@cache
def warn_plain(reason: str) -> None:
    """Log once for each reason that there is no compiled code."""
    _log.warning("computing in plain PyTorch, slower than compiled code: %s", reason)


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Where a tensor begins; null for none."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def pointers(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    """Where each of some tensors begins."""
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def _passed(argument: Any) -> Any:
    if argument is None or isinstance(argument, Tensor):
        return pointer(argument)
    return pointers(argument) if isinstance(argument, (list, tuple)) else argument
