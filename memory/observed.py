"""A named value inside a core that can be recorded."""

# pyright: standard

from collections.abc import Sequence

from torch import Tensor, nn


class Observed(nn.Module):
    """Identity module: gives a value a name, and a forward hook a place.

    `memory.inspect` records all of them: gates, attention weights, decisions.

    Args:
        axes: of the value after the batch, for those who draw it: the name of each axis with labels
            of its places, `()` to number them. Nothing depends on them.
    """

    def __init__(self, **axes: Sequence[str]) -> None:
        super().__init__()
        self.axes = axes

    @property
    def watched(self) -> bool:
        """Whether a forward hook is registered. Fused code, which calls none, is then not used."""
        return bool(self._forward_hooks)

    def forward(self, values: Tensor) -> Tensor:
        """The values."""
        return values
