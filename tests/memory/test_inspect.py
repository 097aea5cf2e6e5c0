"""Watching a core: what is seen is what happens, and nothing happens because it is seen."""

import pytest
import torch

from memory import CORES
from memory.core import state_leaves
from memory.inspect import inspect, state_items
from tests.memory.cores.test_core_contract import B, build, resets
from tests.memory.small_cores import SMALL_CORES


@pytest.mark.parametrize("case", SMALL_CORES)
def test_an_inspected_unroll_is_the_unroll(case):
    core, inputs = build(case)
    core.train()
    before = {name: value.clone() for name, value in core.state_dict().items()}
    seen = inspect(core, inputs, core.initial_state(B), resets())
    for name, value in core.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    outputs, state = core.eval()(inputs, core.initial_state(B), resets())
    torch.testing.assert_close(seen.outputs, outputs)
    assert len(seen.states) == len(state_leaves(state))
    for name, leaf in state_items(state):
        assert seen.states[name].shape == (len(inputs), *leaf.shape)
        torch.testing.assert_close(seen.states[name][-1], leaf)
    for name, values in seen.observed.items():
        assert values.shape[:2] == (len(inputs), B), name
        assert not values.requires_grad
    assert not any(module._forward_hooks for module in core.modules())


@pytest.mark.parametrize("name", CORES)
def test_every_core_has_something_to_watch(name):
    core, inputs = build(name)
    assert inspect(core, inputs, core.initial_state(B)).observed


def test_attention_of_the_relational_memory_sums_to_one_over_slots_and_input():
    core, inputs = build("rmc")
    weights = inspect(core, inputs, core.initial_state(B)).observed["blocks.0.attend.weights"]
    assert weights.shape == (len(inputs), B, 2, 2, 3)  # heads, slots that ask, slots and the input
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)))


def test_gates_are_those_that_made_the_state():
    core, inputs = build("lstm")
    seen = inspect(core, inputs, core.initial_state(B))
    input_gate, forget_gate, output_gate = seen.observed["gates"].unbind(dim=2)
    cell = seen.states["cell"]
    torch.testing.assert_close(output_gate * cell.tanh(), seen.outputs)
    candidate = (cell[1:] - forget_gate[1:] * cell[:-1]) / input_gate[1:]
    assert candidate.abs().le(1 + 1e-9).all()


def test_nothing_to_inspect_is_refused():
    core, inputs = build("lstm")
    with pytest.raises(ValueError, match="inputs have no step"):
        inspect(core, inputs[:0], core.initial_state(B))
