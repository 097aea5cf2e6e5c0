"""Encodes the state of a run as values that load without unpickling."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_ARRAY = "numpy array"  # key that marks an encoded array


def encode(value: Any, name: str) -> Any:
    """Encode a value as tensors, numbers, strings, lists, tuples and dicts; arrays become bytes.

    Args:
        name: of the value, for the error message.

    Raises:
        TypeError: names the part that cannot be encoded.
    """
    match value:
        case Tensor():
            return value.detach().cpu().clone()
        case np.generic():
            return value.item()
        case np.ndarray() if value.dtype.kind in "biufcU":
            data = (
                torch.frombuffer(bytearray(value.tobytes()), dtype=torch.uint8)
                if value.size
                else None
            )
            return {_ARRAY: value.dtype.str, "shape": list(value.shape), "bytes": data}
        case None | bool() | int() | float() | str():
            return value
        case Mapping() if all(isinstance(key, str | int) for key in value):
            return {key: encode(item, f"{name}[{key!r}]") for key, item in value.items()}
        case list() | tuple() if not hasattr(value, "_fields"):
            return type(value)(encode(item, f"{name}[{i}]") for i, item in enumerate(value))
    raise TypeError(
        f"{name}: {type(value).__name__} cannot be in a checkpoint; tensors, arrays of numbers, "
        "numbers, strings, lists, tuples, dicts with str or int keys and None can."
    )


def decode(value: Any) -> Any:
    """The inverse of `encode`; NumPy scalars become Python numbers."""
    if isinstance(value, dict) and _ARRAY in value:
        data = b"" if value["bytes"] is None else value["bytes"].numpy().tobytes()
        return np.frombuffer(bytearray(data), dtype=value[_ARRAY]).reshape(value["shape"])
    if isinstance(value, dict):
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(decode(item) for item in value)
    return value
