"""What unrolls with their own backward pass share."""

# pyright: reportUnknownMemberType=false

from typing import cast

import torch
from jaxtyping import Bool
from torch import Tensor


def has_own_backward(*tensors: Tensor) -> bool:
    """Whether such an unroll may be used: not under autocast, nor while compiling or exporting."""
    return not (
        torch.is_autocast_enabled(tensors[0].device.type)
        or torch.compiler.is_compiling()  # pyright: ignore[reportPrivateImportUsage]
        or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    )


def no_episode_begins(reset: Bool[Tensor, "T B"] | None) -> bool:
    """Whether it is known that no episode begins after the first input."""
    # On a GPU, reading the values would make the host wait.
    return reset is None or (not reset.is_cuda and not bool(reset[1:].any()))


def first_steps(reset: Bool[Tensor, "T B"] | None, steps: int) -> list[Bool[Tensor, "B 1"] | None]:
    """For each step the elements that begin an episode; None where none is known to do so."""
    if reset is None:
        return [None] * steps
    some = [True] * steps if reset.is_cuda else cast(list[bool], reset.any(dim=1).tolist())
    is_first = reset.unsqueeze(-1).unbind()
    return [now if any_ else None for now, any_ in zip(is_first, some, strict=True)]
