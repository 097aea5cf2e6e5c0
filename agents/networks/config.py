"""Options of the network around the core."""

from dataclasses import dataclass

from memory.options import check


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The network around the core: torso in front, policy and value heads behind."""

    channels: tuple[int, ...] = (12, 24)
    """Filters of each 2x2 convolution of the torso (image observations only)."""
    last_action: bool = True
    """Give the core the last action, one-hot."""
    last_reward: bool = True
    """Give the core the last reward, clipped to [-1, 1]."""
    skip: bool = False
    """Give the heads the core's input beside its output: what is in view need not pass through a
    memory that has yet to learn to show it."""

    def __post_init__(self) -> None:
        words = " ".join(map(str, self.channels))
        check("channels", words, all(n >= 1 for n in self.channels), "at least 1 each")
