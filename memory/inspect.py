"""Record what a core computes at each step: attention, gates, contents of its memory.

seen = inspect(core, inputs, state, reset)
seen.observed["blocks.0.attend.weights"]  # [T, B, K, Q, N]
seen.states["memory"]                     # [T, B, ...]
"""

# pyright: standard

from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from memory.core import Core, DecidingCore, select
from memory.observed import Observed


class Inspection(NamedTuple):
    """An unroll and what was recorded of it; all without gradient."""

    outputs: Float[Tensor, "T B D"]
    states: dict[str, Tensor]
    """Leaves of the state after each step, `[T, B, ...]`, by their dotted names."""
    observed: dict[str, Tensor]
    """Values of each `Observed` module, `[T, B, ...]`, by its dotted name."""


@torch.no_grad()
def inspect(
    core: Core[Any],
    inputs: Float[Tensor, "T B *features"],
    state: Any,
    reset: Bool[Tensor, "T B"] | None = None,
    decisions: Float[Tensor, "T B K"] | None = None,
) -> Inspection:
    """Unroll a core step by step and record it; weights and statistics do not change.

    Args:
        decisions: that a `DecidingCore` took; None for the more likely ones.

    Raises:
        ValueError: the inputs have no step, or the core takes no decisions.
    """
    if not len(inputs):
        raise ValueError("inputs have no step: there is nothing to inspect")
    outputs, states = list[Tensor](), defaultdict[str, list[Tensor]](list)
    steps: list[dict[str, Tensor]] = []
    for t in range(len(inputs)):
        now = None if reset is None else reset[t : t + 1]
        with _watch(core) as seen:
            if decisions is None:
                (output,), state = Core.forward(core, inputs[t : t + 1], state, now)
            else:
                output, state = _decided(core, inputs[t], state, now, decisions[t])
        outputs.append(output)
        steps.append({name: torch.stack(parts, 1).squeeze(1) for name, parts in seen.items()})
        for name, leaf in state_items(state):
            states[name].append(leaf)
    return Inspection(
        torch.stack(outputs),
        {name: torch.stack(leaves) for name, leaves in states.items()},
        {name: torch.stack([step[name] for step in steps]) for name in steps[0]},
    )


def _decided(
    core: Core[Any], x: Tensor, state: Any, now: Tensor | None, decision: Tensor
) -> tuple[Tensor, Any]:
    """One step with the decisions given."""
    if not isinstance(core, DecidingCore):
        raise ValueError(f"{type(core).__name__} takes no decisions")
    if now is not None:
        state = select(now[0], core.initial_state(len(x)), state)
    return core.apply_decision(x, state, decision)


@contextmanager
def _watch(core: Core[Any]) -> Generator[dict[str, list[Tensor]], None, None]:
    """Collect the values of each `Observed` module of a core, in order."""
    seen: dict[str, list[Tensor]] = {}
    hooks: list[RemovableHandle] = []
    for name, module in core.named_modules():
        if isinstance(module, Observed):
            hooks.append(module.register_forward_hook(_keep_in(seen, name)))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def state_items(state: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The leaves of a state by their dotted names; a state that is one tensor is `memory`."""
    if isinstance(state, Tensor):
        yield name or "memory", state
        return
    for field, part in state._asdict().items():
        yield from state_items(part, f"{name}.{field}" if name else field)


def _keep_in(seen: dict[str, list[Tensor]], name: str) -> Any:
    def keep(_module: Observed, _given: Any, values: Tensor) -> None:
        seen.setdefault(name, []).append(values.detach().clone())

    return keep
