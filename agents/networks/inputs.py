"""Inputs of the policy."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Shaped
from torch import Tensor


class Inputs(NamedTuple):
    """Inputs of the policy at each step."""

    observations: Tensor
    """`[T, B, ...]`, as returned by the environment."""
    last_actions: Shaped[Tensor, "T B *numbers"]
    """Integers, or the numbers of packed actions."""
    last_rewards: Float[Tensor, "T B"]
    resets: Bool[Tensor, "T B"]
    """True at the first step of an episode: state, last action and last reward are ignored."""
