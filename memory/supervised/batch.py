"""Sequences to learn from or to be judged by."""

from typing import Any, NamedTuple

from jaxtyping import Bool, Int
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

    def to(self, device: str) -> "Batch":
        """The same on a device."""
        return Batch._make(_each(lambda leaf: leaf.to(device), part) for part in self)

    def part(self, lanes: slice) -> "Batch":
        """Some of the sequences."""
        groups = None if self.groups is None else self.groups[lanes]
        return Batch._make((*(_each(lambda x: x[:, lanes], p) for p in self[:-1]), groups))

    def repeated(self, times: int) -> "Batch":
        """Each sequence so many times."""
        groups = None if self.groups is None else self.groups.repeat_interleave(times)
        parts = (_each(lambda x: x.repeat_interleave(times, dim=1), part) for part in self[:-1])
        return Batch._make((*parts, groups))


def _each(function: Any, part: Any) -> Any:
    return None if part is None else map_state(function, part)
