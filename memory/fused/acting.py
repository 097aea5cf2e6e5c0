"""One step of an agent in one call of compiled code, acting.cpp.

The convolutions of pictures and the core are those of this package; a core that has a function for
one step offers it as a `CoreStep`.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from memory.fused.compiled_code import NO_MEMORY, CompiledCode, pointer, pointers
from memory.fused.pictures import PackedConvolutions


class CoreStep(NamedTuple):
    """A core's function for one step of a batch, and what it takes."""

    function: Any
    """Of compiled code; takes the shape, weights, packed weights, features, state, resets, outputs,
    next state, and scratch."""
    shape: ctypes.Structure
    weights: Sequence[Tensor]
    packed: Float[Tensor, " N"]
    scratch: Float[Tensor, " S"] | None = None
    outputs: Float[Tensor, "B D"] | None = None
    """Where the outputs go; to the first leaf of the state if None."""
    to_rows: Callable[[Tensor], Tensor] = Tensor.detach
    """From a leaf of the state to one that is contiguous where compiled code reads it."""
    from_rows: Callable[[Tensor], Tensor] = Tensor.detach
    """The inverse of `to_rows`."""


@runtime_checkable
class HasCompiledStep(Protocol):
    """A core that may compute its step in compiled code."""

    def compiled_step(self, batch: int) -> CoreStep | None:
        """The step of a batch, while the weights are held; None if plain code computes it."""
        ...


class Heads(NamedTuple):
    """The heads of a policy."""

    policy: tuple[Float[Tensor, "A D"], Float[Tensor, " A"]]
    value: tuple[Float[Tensor, "1 D"], Float[Tensor, " 1"]]
    skip: bool
    """They see the features after the outputs of the core."""
    norm: float
    """Length to which the outputs are normalised; 0 for none."""


class Feedback(NamedTuple):
    """What a core sees beside the pictures."""

    last_action: bool
    last_reward: bool
    spread: int
    """Places of a map at which each number is written; 1 for vectors."""


class Drawn(NamedTuple):
    """What a step gives."""

    actions: Int64[Tensor, " B"]
    logits: Float[Tensor, "B A"]
    values: Float[Tensor, " B"]


class _Step(ctypes.Structure):
    """What every call takes: `Step` of acting.cpp, field by field."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("batch", "features", "maps", "planes", "spread")),
        *((name, ctypes.c_int64) for name in ("outputs", "actions")),
        *((name, ctypes.c_int64) for name in ("last_action", "last_reward", "skip")),
        *((name, ctypes.c_void_p) for name in ("convolve", "pictures", "filters")),
        *((name, ctypes.c_void_p) for name in ("core", "shape", "weights")),
        *((name, ctypes.c_void_p) for name in ("packed", "scratch", "seen", "shown")),
        *((name, ctypes.c_void_p) for name in ("policy", "policy_bias", "value", "value_bias")),
        ("norm", ctypes.c_float),
    ]


code = CompiledCode(__file__)


class ActingStep:
    """Steps of a batch whose weights are held.

    Args:
        planes: that follow the maps in the features, the same in all of them.
    """

    def __init__(
        self,
        convolutions: PackedConvolutions,
        planes: Float[Tensor, "Z H W"],
        feedback: Feedback,
        core: CoreStep,
        heads: Heads,
    ) -> None:
        self._function, self._core = code.function("step"), core
        batch, maps, actions = convolutions.pictures, convolutions.size, len(heads.policy[0])
        numbers = feedback.last_action * actions + feedback.last_reward
        features = maps + planes.numel() + numbers * feedback.spread
        seen = planes.new_zeros(batch, features)
        seen[:, maps : maps + planes.numel()] = planes.flatten()
        width = heads.policy[0].shape[1] - heads.skip * features
        weights = pointers(core.weights)
        self._kept = convolutions, core, heads, seen, weights  # what the pointers point to
        self._actions = actions
        self._step = _Step(
            *(batch, features, maps, planes.numel(), feedback.spread, width, actions),
            *(feedback.last_action, feedback.last_reward, heads.skip),
            ctypes.cast(convolutions.function, ctypes.c_void_p),
            ctypes.cast(ctypes.byref(convolutions.shape), ctypes.c_void_p),
            pointer(convolutions.packed),
            ctypes.cast(core.function, ctypes.c_void_p),
            ctypes.cast(ctypes.byref(core.shape), ctypes.c_void_p),
            ctypes.cast(weights, ctypes.c_void_p),
            *map(pointer, (core.packed, core.scratch, seen, core.outputs)),
            *map(pointer, (*heads.policy, *heads.value)),
            heads.norm,
        )

    def __call__(
        self,
        pictures: UInt8[Tensor, "B H W C"],
        last_actions: Int64[Tensor, " B"],
        last_rewards: Float[Tensor, " B"],
        resets: Bool[Tensor, " B"],
        uniforms: Float[Tensor, "B 1"],
        state: Sequence[Tensor],
    ) -> tuple[Drawn, list[Tensor]]:
        """What is drawn, and the next state; `state` has the leaves of one of the core."""
        leaves = [self._core.to_rows(leaf).contiguous() for leaf in state]
        after = [torch.empty_like(leaf) for leaf in leaves]
        batch = len(resets)
        logits, values = torch.empty(batch, self._actions), torch.empty(batch)
        actions = torch.empty(batch, dtype=torch.long)
        given = [x.contiguous() for x in (pictures, last_actions, last_rewards, resets, uniforms)]
        failed = self._function(
            ctypes.byref(self._step),
            *map(pointer, given),
            pointers(leaves),
            pointers(after),
            *map(pointer, (logits, values, actions)),
        )
        if failed == NO_MEMORY:
            raise MemoryError("acting: no memory for the threads to work in")
        return Drawn(actions, logits, values), [self._core.from_rows(leaf) for leaf in after]
