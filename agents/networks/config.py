"""Options of the network around the core."""

from dataclasses import dataclass

from memory.options import check


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The network around the core: a torso before it, policy and value heads after it."""

    channels: tuple[int, ...] = (12, 24)
    """Filters of each 2x2 convolution of the torso (image observations only)."""
    last_action: bool = True
    """Pass the last action to the core, one-hot."""
    last_reward: bool = True
    """Pass the last reward to the core, clipped to [-1, 1]."""
    skip: bool = False
    """Concatenate the core's input to its output for the heads, so that they see the observation
    before the core has learned to pass it on."""

    def __post_init__(self) -> None:
        words = " ".join(map(str, self.channels))
        check("channels", words, all(n >= 1 for n in self.channels), "at least 1 each")
