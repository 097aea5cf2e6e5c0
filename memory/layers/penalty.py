"""Penalties on the weights of modules, applied by their optimiser."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class Penalised(Protocol):
    """A module with penalties of its own."""

    def penalties(self) -> Iterable[tuple[Tensor, float]]:
        """Weights whose sum of squares, times a factor, an optimiser adds to the loss."""
        ...


def parameter_groups(
    modules: Iterable[nn.Module], weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """The weights that learn, in groups for an optimiser of PyTorch, each with its `weight_decay`.

    Args:
        weight_decay: of all weights; a module's own penalties come on top.
    """
    modules = list(modules)
    own = {
        weight: penalty
        for module in modules
        for part in module.modules()
        if isinstance(part, Penalised)
        for weight, penalty in part.penalties()
    }
    weights = [p for module in modules for p in module.parameters() if p.requires_grad]
    decays = {weight: weight_decay + 2 * own.get(weight, 0.0) for weight in weights}
    return [
        {"params": [w for w in weights if decays[w] == decay], "weight_decay": decay}
        for decay in dict.fromkeys(decays.values())
    ]
