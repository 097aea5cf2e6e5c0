"""A place inside a core whose values can be watched from outside."""

from torch import Tensor, nn


class Observed(nn.Module):
    """Hands on what it is given, unchanged: a name for it, to which a forward hook can be tied.

    `memory.inspect` watches every one of them: gates, attention weights, decisions.
    """

    @property
    def watched(self) -> bool:
        """Whether anybody looks; a fused `step`, which has no place to look, then gives way."""
        return bool(self._forward_hooks)

    def forward(self, values: Tensor) -> Tensor:
        """The values."""
        return values
