"""Options of the network around the core."""

from dataclasses import dataclass
from typing import Literal

from memory.options import above_zero, check

DOWNSAMPLE = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The network around the core: a torso before it, policy and value heads after it."""

    channels: tuple[int, ...] = (12, 24)
    """Filters of each 2x2 convolution of the torso (image observations only)."""
    downsample: int | Literal["auto"] = "auto"
    """By how much images are made smaller before that, a power of two, by strided convolutions;
    `auto` leaves at most 361 cells, such as 19 x 19."""
    last_action: bool = True
    """Pass the last action to the core, one-hot."""
    last_reward: bool = True
    """Pass the last reward to the core, clipped to [-1, 1]."""
    skip: bool = False
    """Concatenate the core's input to its output for the heads, so that they see the observation
    before the core has learned to pass it on."""
    output_norm: float | None = None
    """Rescale the core's output to this Euclidean norm, by layer normalisation without weights,
    whatever the core and its size. With `skip` and a norm well below that of the input, the heads
    begin with what is seen, and learn to use the memory while its weights still change."""

    def __post_init__(self) -> None:
        words = " ".join(map(str, self.channels))
        check("channels", words, all(n >= 1 for n in self.channels), "at least 1 each")
        if self.output_norm is not None:
            above_zero(output_norm=self.output_norm)
        factor = self.downsample
        allowed = factor == "auto" or factor in DOWNSAMPLE
        check("downsample", factor, allowed, f"auto or one of {', '.join(map(str, DOWNSAMPLE))}")
