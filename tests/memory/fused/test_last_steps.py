"""Last steps without a gradient, such as the one whose value is a bootstrap, are left out."""

from typing import Any

import pytest
import torch

from memory import CORES, map_state, state_leaves
from tests.memory.small_cores import INPUT_SHAPES

STEPS, BATCH = 12, 40


@pytest.mark.parametrize("name", ["lstm", "rmc", "convlstm"])
@pytest.mark.parametrize("used", [1, 9])
def test_gradients_are_those_of_the_steps_that_are_used(name, used):
    torch.manual_seed(2)
    config = next(iter(CORES[name].small().values()))
    core: Any = config.build(INPUT_SHAPES[config.input_kind])
    inputs = torch.randn(STEPS, BATCH, *INPUT_SHAPES[config.input_kind])
    reset = torch.rand(STEPS, BATCH) < 0.2
    state = map_state(torch.randn_like, core.initial_state(BATCH))
    found = []
    for steps in (used, STEPS):
        sources = [leaf.clone().requires_grad_() for leaf in (inputs[:steps], *state_leaves(state))]
        leaves = iter(sources[1:])
        begin = map_state(lambda _, leaves=leaves: next(leaves), state)
        if (why := core.why_plain(sources[0], begin, reset[:steps])) and steps == STEPS:
            pytest.skip(why)
        outputs, _ = core(sources[0], begin, reset[:steps])
        loss = outputs[:used].square().sum()
        found.append(torch.autograd.grad(loss, [*sources, *core.parameters()]))
    (inputs_alone, *alone), (inputs_all, *every) = found
    torch.testing.assert_close(inputs_all[:used], inputs_alone)
    assert not inputs_all[used:].any()
    for one, other in zip(every, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
