"""Trajectories: T transitions between T + 1 observations, from actors to the learner."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from agents.networks.inputs import Inputs
from memory.core import map_state


class Trajectory(NamedTuple):
    """T transitions of B actors. All fields are time first except `state` and `version`."""

    inputs: Inputs
    """T + 1 steps; the action of transition t is `inputs.last_actions[t + 1]`."""
    logits: Float[Tensor, "T B A"]
    """Outputs of the policy head of the behaviour policy."""
    terminated: Bool[Tensor, "T B"]
    truncated: Bool[Tensor, "T B"]
    truncation_values: Float[Tensor, "T B"]
    """Value of the final observation where an episode was truncated, else 0."""
    decisions: Float[Tensor, "T+1 B K"]
    """Decisions of the core (0 or 1) at each step; K is 0 for a core without decisions."""
    decision_logits: Float[Tensor, "T+1 B K"]
    state: Any
    """Core state before the first input; leaves `[B, ...]`."""
    version: Int[Tensor, " B"]
    """Version of the weights that acted, in learner updates."""

    @property
    def actions(self) -> Shaped[Tensor, "T B *numbers"]:
        return self.inputs.last_actions[1:]

    @property
    def rewards(self) -> Float[Tensor, "T B"]:
        return self.inputs.last_rewards[1:]


def map_trajectory(
    function: Callable[[list[Tensor], int], Tensor], parts: Sequence[Trajectory]
) -> Trajectory:
    """Apply `function(leaves, batch_axis)` to the corresponding leaves of trajectories."""

    def at(axis: int) -> Callable[..., Tensor]:
        return lambda *leaves: function(list(leaves), axis)

    by_field = zip(Trajectory._fields, zip(*parts, strict=True), strict=True)
    batch_first = ("state", "version")
    return Trajectory(
        *(map_state(at(int(name not in batch_first)), *field) for name, field in by_field)
    )


def join(parts: Sequence[Trajectory]) -> Trajectory:
    """Concatenate trajectories along the batch axis."""
    return map_trajectory(lambda leaves, axis: torch.cat(leaves, axis), parts)


def take(trajectory: Trajectory, start: int, count: int) -> Trajectory:
    """Select `count` actors, starting at `start`."""
    return map_trajectory(lambda leaves, axis: leaves[0].narrow(axis, start, count), [trajectory])


def from_leaves(leaves: Sequence[Tensor], core_state: Any) -> Trajectory:
    """The inverse of `state_leaves`; `core_state` is any state of the same core."""
    empty = torch.empty(0)
    shape = Trajectory(Inputs(*[empty] * 4), *[empty] * 6, state=core_state, version=empty)
    parts = iter(leaves)
    return map_state(lambda _: next(parts), shape)
