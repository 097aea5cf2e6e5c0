"""What the policy sees at each step."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor


class Inputs(NamedTuple):
    """What the policy sees at each step."""

    observations: Tensor
    """`[T, B, ...]`, as the environment gives them."""
    last_actions: Int[Tensor, "T B"]
    last_rewards: Float[Tensor, "T B"]
    resets: Bool[Tensor, "T B"]
    """The observation opens an episode: state, last action and last reward do not count."""
