"""A named value inside a core that can be recorded."""

from torch import Tensor, nn


class Observed(nn.Module):
    """Identity module: gives a value a name, and a forward hook a place.

    `memory.inspect` records all of them: gates, attention weights, decisions.
    """

    @property
    def watched(self) -> bool:
        """Whether a forward hook is registered. Fused code, which calls none, is then not used."""
        return bool(self._forward_hooks)

    def forward(self, values: Tensor) -> Tensor:
        """The values."""
        return values
