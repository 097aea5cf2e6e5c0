"""Unrolls in stretches between resets, for cores that have a fused call without resets."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from memory.core import select

STEPS_PER_STRETCH = 5
"""A fused call costs about as much as this many steps save: below it, a loop is faster."""

Stretch = Callable[[Tensor, Any], tuple[Tensor, Any]]


def starts_of_stretches(reset: Bool[Tensor, "T B"]) -> list[int] | None:
    """The steps that open a stretch, or None where fused calls do not pay."""
    # On a GPU the search for resets would make the host wait; a loop looks at no data.
    if reset.is_cuda:
        return None
    starts = reset[1:].any(dim=1).nonzero().flatten() + 1
    if len(starts) * STEPS_PER_STRETCH > len(reset):
        return None
    return [0, *starts.tolist()]


def unroll_stretches(
    stretch: Stretch,
    inputs: Float[Tensor, "T B F"],
    state: Any,
    fresh: Any,
    reset: Bool[Tensor, "T B"],
    starts: list[int],
) -> tuple[Float[Tensor, "T B D"], Any]:
    """Unroll stretch by stretch; resets fall on the first step of a stretch only."""
    outputs = []
    for start, part in zip(starts, inputs.tensor_split(starts[1:]), strict=True):
        y, state = stretch(part, select(reset[start], fresh, state))
        outputs.append(y)
    return torch.cat(outputs), state
