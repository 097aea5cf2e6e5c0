"""Last steps without a gradient, such as the one whose value is a bootstrap, are left out."""

from typing import Any

import pytest
import torch

from memory import CORES, map_state, state_leaves
from memory.core import Core
from tests.memory.small_cores import INPUT_SHAPES

STEPS, BATCH = 12, 40


@pytest.mark.parametrize("name", ["lstm", "rmc", "convlstm"])
@pytest.mark.parametrize("used", [1, 9, STEPS])
def test_gradients_are_those_of_single_steps(name, used):
    torch.manual_seed(2)
    config = next(iter(CORES[name].small().values()))
    core: Any = config.build(INPUT_SHAPES[config.input_kind])
    inputs = torch.randn(STEPS, BATCH, *INPUT_SHAPES[config.input_kind])
    reset = torch.rand(STEPS, BATCH) < 0.2
    state = map_state(torch.randn_like, core.initial_state(BATCH))
    if why := core.why_plain(inputs, state, reset):
        pytest.skip(why)
    found = []
    for unroll in (core, lambda *given: Core.forward(core, *given)):
        sources = [leaf.clone().requires_grad_() for leaf in (inputs, *state_leaves(state))]
        leaves = iter(sources[1:])
        begin = map_state(lambda _, leaves=leaves: next(leaves), state)
        outputs, _ = unroll(sources[0], begin, reset)
        loss = outputs[:used].square().sum()
        found.append(torch.autograd.grad(loss, [*sources, *core.parameters()]))
    assert not found[0][0][used:].any()
    for compiled, single in zip(*found, strict=True):
        torch.testing.assert_close(compiled, single, rtol=1e-3, atol=1e-4)
