"""What unrolls with backward passes of their own have in common."""

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


def no_episode_opens(reset: Bool[Tensor, "T B"] | None) -> bool:
    """Whether it is known that no episode opens after the first step."""
    # On a GPU the host would have to wait to know.
    return reset is None or (not reset.is_cuda and not bool(reset[1:].any()))


def openings(reset: Bool[Tensor, "T B"] | None, steps: int) -> list[Bool[Tensor, "B 1"] | None]:
    """For each step where an episode opens which; None where, for all that is known, none does."""
    if reset is None:
        return [None] * steps
    some = [True] * steps if reset.is_cuda else reset.any(dim=1).tolist()
    opens = reset.unsqueeze(-1).unbind()
    return [now if any_ else None for now, any_ in zip(opens, some, strict=True)]
