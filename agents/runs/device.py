"""The device of a run."""

from typing import Literal

import torch


def compute_device(asked: str, option: str = "device") -> str:
    """Return the device that an option selects.

    Args:
        asked: `auto`, `cpu` or `cuda`.
        option: name of the option, for the error message.

    Raises:
        ValueError: a GPU is requested and there is none.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--{option} cuda: PyTorch finds no CUDA device here; use cpu.")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def uses_graphs(graphs: Literal["auto", "never"], device: str) -> bool:
    """Whether computation is captured as CUDA graphs: with `--graphs auto`, on a GPU."""
    return graphs == "auto" and device == "cuda"
