"""Encodes the state of a run as JSON and tensors, which load without unpickling.

Numbers, strings, None and lists are JSON. What JSON does not have is an object with one of these
keys: `tuple` (a list), `dict` (pairs), `tensor` and `array` (a name among the tensors; an array
also has its `dtype` and `shape`). Each tensor occurs once, so that a short text cannot stand for
much memory.
"""

# pyright: standard

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

KINDS = "biufcU"
"""Of arrays: numbers and strings."""


def encode(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Encode a value; its tensors and arrays are added to `tensors`.

    Args:
        name: of the value, for the error message.

    Raises:
        TypeError: names the part that cannot be encoded.
    """
    match value:
        case Tensor():
            return {"tensor": _add(tensors, value.detach().cpu().clone().contiguous())}
        case np.generic():
            return value.item()
        case np.ndarray() if value.dtype.kind in KINDS:
            data = torch.from_numpy(np.frombuffer(bytearray(value.tobytes()), dtype=np.uint8))
            return {
                "array": _add(tensors, data),
                "dtype": value.dtype.str,
                "shape": list(value.shape),
            }
        case None | bool() | int() | float() | str():
            return value
        case Mapping() if all(isinstance(key, str | int) for key in value):
            return {
                "dict": [
                    [key, encode(item, f"{name}[{key!r}]", tensors)] for key, item in value.items()
                ]
            }
        case list() | tuple() if not hasattr(value, "_fields"):
            items = [encode(item, f"{name}[{i}]", tensors) for i, item in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
    raise TypeError(
        f"{name}: {type(value).__name__} cannot be in a checkpoint; tensors, arrays of numbers, "
        "numbers, strings, lists, tuples, dicts with str or int keys and None can."
    )


def decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `encode`, which takes its tensors out of `tensors`.

    Raises:
        ValueError: the value is not one that `encode` returns.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [decode(item, tensors) for item in value]
        case {"tuple": list(items), **rest} if not rest:
            return tuple(decode(item, tensors) for item in items)
        case {"dict": list(pairs), **rest} if not rest:
            return {_key(key): decode(item, tensors) for key, item in pairs}
        case {"tensor": str(name), **rest} if not rest:
            return _take(tensors, name)
        case {"array": str(name), "dtype": str(kind), "shape": list(shape), **rest} if not rest:
            data = _take(tensors, name).numpy().tobytes()
            return np.frombuffer(bytearray(data), dtype=kind).reshape(shape)
    raise ValueError(f"{str(value)[:60]!r} is no encoded value")


def _add(tensors: dict[str, Tensor], tensor: Tensor) -> str:
    name = str(len(tensors))
    tensors[name] = tensor
    return name


def _take(tensors: dict[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise ValueError(f"there is no tensor {name!r}, or it occurs twice")
    return tensors.pop(name)


def _key(key: Any) -> str | int:
    if not isinstance(key, str | int):
        raise ValueError(f"{str(key)[:60]!r} is no key")
    return key
