"""The state of a run in values that load without unpickling anything."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_ARRAY = "numpy array"  # key that marks an encoded array


def encode(value: Any, name: str) -> Any:
    """A value as tensors, numbers, strings, lists, tuples and dicts; arrays become their bytes.

    Args:
        name: of the value, for the error that names what cannot be saved.
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
    """What was given to `encode`; arrays have their type back, numbers of NumPy are plain."""
    if isinstance(value, dict) and _ARRAY in value:
        data = b"" if value["bytes"] is None else value["bytes"].numpy().tobytes()
        return np.frombuffer(bytearray(data), dtype=value[_ARRAY]).reshape(value["shape"])
    if isinstance(value, dict):
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(decode(item) for item in value)
    return value
