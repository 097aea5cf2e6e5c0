"""Encodes the state of a run as values that load without unpickling."""

import io
import zipfile
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


def check_archive(data: bytes) -> None:
    """Check, before it is read, that a file of `torch.save` is not larger than it looks.

    Raises:
        ValueError: its parts are compressed, or longer than the file.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError("its parts are compressed, which torch.save never does")
    if sum(part.file_size for part in parts) > len(data):
        raise ValueError(f"its parts are longer than its {len(data)} bytes")


def decode(value: Any, most: int) -> Any:
    """The inverse of `encode`; NumPy scalars become Python numbers.

    Args:
        most: bytes of the file that the value is from, and so the limit of its values.

    Raises:
        ValueError: a tensor is larger than its data, or there are more values than bytes: parts
            are repeated.
    """
    return _Decoder(most).decode(value)


class _Decoder:
    def __init__(self, most: int) -> None:
        self.left = most

    def decode(self, value: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError("it holds more values than bytes")
        match value:
            case Tensor():
                return _checked(value)
            case dict() if _ARRAY in value:
                return _array(value)
            case dict():
                return {key: self.decode(item) for key, item in value.items()}
            case list() | tuple():
                return type(value)(self.decode(item) for item in value)
        return value


def _checked(tensor: Tensor) -> Tensor:
    if tensor.numel() * tensor.itemsize <= tensor.untyped_storage().nbytes():
        return tensor
    raise ValueError(f"a tensor of shape {list(tensor.shape)} is larger than its data")


def _array(value: dict[str, Any]) -> np.ndarray:
    data = b"" if value["bytes"] is None else _checked(value["bytes"]).numpy().tobytes()
    return np.frombuffer(bytearray(data), dtype=value[_ARRAY]).reshape(value["shape"])
