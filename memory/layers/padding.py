"""Padding: an input of zeros alone stands for no input at all."""

from jaxtyping import Bool, Float
from torch import Tensor


def is_present(x: Float[Tensor, "*B F"]) -> Bool[Tensor, "*B 1"]:
    """Whether an input is more than padding, with an axis left to multiply features by."""
    return x.ne(0).any(dim=-1, keepdim=True)
