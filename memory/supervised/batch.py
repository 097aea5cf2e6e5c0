"""Sequences to learn from or to be judged by."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from memory.core import map_state


class Batch(NamedTuple):
    """Sequences of one length, time first."""

    inputs: Any
    """What the encoder of the task takes: a tensor `[T, B, ...]`, or a NamedTuple of tensors whose
    second axis is B."""
    targets: Int[Tensor, "T B"]
    """The right class at each step."""
    scored: Bool[Tensor, "T B"]
    """The steps whose answers count; targets elsewhere mean nothing."""
    reset: Bool[Tensor, "T B"] | None = None
    """The steps that open an episode, where the first is not the only one."""
    fed: Bool[Tensor, "T B"] | None = None
    """The steps whose input is the answer to the step before. The right answers stand there; a
    reader that is judged is given its own in their place. Inputs are then one tensor of numbers, of
    which the first are those of the classes."""
    groups: Int[Tensor, " B"] | None = None
    """What each sequence belongs to, where results are told apart by that."""
    places: Int[Tensor, " S"] | None = None
    """The numbers of the scored steps, counted time first. A device that is given them need not
    find them, and nobody has to ask it how many there are."""

    def to(self, device: str) -> "Batch":
        """The same on a device."""
        return map_state(lambda leaf: leaf.to(device), self)

    def located(self) -> "Batch":
        """The same with `places`."""
        return self._replace(places=self.scored.flatten().nonzero().squeeze(1))

    def at_scored(self, values: Shaped[Tensor, "T B *F"]) -> Shaped[Tensor, "S *F"]:
        """Of values at all steps, those at the scored ones, time first."""
        if self.places is None:
            return values[self.scored]
        return values.flatten(0, 1).index_select(0, self.places)

    def part(self, lanes: slice) -> "Batch":
        """Some of the sequences."""
        return self._along_lanes(lambda leaf, axis: leaf[(slice(None),) * axis + (lanes,)])

    def repeated(self, times: int) -> "Batch":
        """Each sequence so many times."""
        return self._along_lanes(lambda leaf, axis: leaf.repeat_interleave(times, dim=axis))

    def _along_lanes(self, function: Callable[[Tensor, int], Tensor]) -> "Batch":
        """The function of each part and of its axis of sequences; without `places`."""
        parts = self._replace(groups=None, places=None)
        groups = None if self.groups is None else function(self.groups, 0)
        return map_state(lambda leaf: function(leaf, 1), parts)._replace(groups=groups)
