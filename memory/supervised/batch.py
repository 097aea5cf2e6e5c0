"""A batch of sequences to train on or to evaluate on."""

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
    loss_mask: Bool[Tensor, "T B"]
    """The scored steps: those whose answers enter the loss and the metrics. Targets at other steps
    are ignored."""
    reset: Bool[Tensor, "T B"] | None = None
    """The first steps of episodes; None if step 0 is the only one."""
    feedback_mask: Bool[Tensor, "T B"] | None = None
    """The steps whose input is the answer to the previous step. `inputs` holds the right answers
    there; in evaluation they are replaced by the reader's own. Inputs are then one tensor of
    integers, and an answer is fed back as the integer of its class."""
    groups: Int[Tensor, " B"] | None = None
    """The group of each sequence, for metrics that are reported by group."""
    loss_indices: Int[Tensor, " S"] | None = None
    """Indices of the scored steps in the flattened `[T * B]`. With them, a device need not compute
    them from `loss_mask`, which would synchronise it with the CPU."""

    def to(self, device: str) -> "Batch":
        """This batch on a device."""
        return map_state(lambda leaf: leaf.to(device), self)

    def with_loss_indices(self) -> "Batch":
        """This batch with `loss_indices`."""
        return self._replace(loss_indices=self.loss_mask.flatten().nonzero().squeeze(1))

    def at_loss_steps(self, values: Shaped[Tensor, "T B *F"]) -> Shaped[Tensor, "S *F"]:
        """The values at the scored steps, time first."""
        if self.loss_indices is None:
            return values[self.loss_mask]
        return values.flatten(0, 1).index_select(0, self.loss_indices)

    def part(self, lanes: slice) -> "Batch":
        """A batch of some of the sequences."""
        return self._along_lanes(lambda leaf, axis: leaf[(slice(None),) * axis + (lanes,)])

    def repeated(self, times: int) -> "Batch":
        """A batch with each sequence repeated `times` times."""
        return self._along_lanes(lambda leaf, axis: leaf.repeat_interleave(times, dim=axis))

    def _along_lanes(self, function: Callable[[Tensor, int], Tensor]) -> "Batch":
        """Apply a function to each tensor and its batch axis; drops `loss_indices`."""
        parts = self._replace(groups=None, loss_indices=None)
        groups = None if self.groups is None else function(self.groups, 0)
        return map_state(lambda leaf: function(leaf, 1), parts)._replace(groups=groups)
