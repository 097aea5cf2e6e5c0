"""Where a run computes."""

from typing import Literal

import torch


def compute_device(asked: str, option: str = "device") -> str:
    """The device meant by an option.

    Raises:
        ValueError: a GPU is asked for and there is none.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--{option} cuda: PyTorch finds no CUDA device here; use cpu.")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def uses_graphs(graphs: Literal["auto", "never"], device: str) -> bool:
    """Whether computation on a device is captured, as `--graphs` says."""
    return graphs == "auto" and device == "cuda"
