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


def unroll(
    stretch: Stretch,
    loop: Callable[[Tensor, Any, Tensor], tuple[Tensor, Any]],
    inputs: Float[Tensor, "T B F"],
    state: Any,
    fresh: Any,
    reset: Bool[Tensor, "T B"] | None,
) -> tuple[Float[Tensor, "T B D"], Any]:
    """Unroll in fused stretches between resets where that pays, else step by step."""
    if reset is None:
        return stretch(inputs, state)
    starts = starts_of_stretches(reset)
    if starts is None:
        return loop(inputs, state, reset)
    return unroll_stretches(stretch, inputs, state, fresh, reset, starts)


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
