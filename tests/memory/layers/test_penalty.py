"""Which weights an optimiser pulls towards zero, and how strongly."""

import pytest
import torch
from torch import nn

from memory import HMemConfig, LSTMConfig
from memory.layers.penalty import parameter_groups


def decays(*modules, weight_decay=0.0):
    return {
        weight: group["weight_decay"]
        for group in parameter_groups(modules, weight_decay)
        for weight in group["params"]
    }


def test_without_penalties_all_weights_are_one_group_in_their_order():
    module = nn.Sequential(nn.Linear(2, 3), LSTMConfig(hidden=4).build((3,)))
    (group,) = parameter_groups([module], 0.1)
    assert [*map(id, group["params"])] == [*map(id, module.parameters())]
    assert group["weight_decay"] == 0.1


def test_keys_values_and_cues_are_pulled_wherever_the_core_lies_and_nothing_else():
    core = HMemConfig(units=6, read_before_write=True, penalty=0.25).build((5,))
    found = decays(nn.ModuleDict({"core": core}), nn.Linear(2, 2), weight_decay=0.125)
    pulled = {core.key.weight, core.value.weight, core.cue.weight}
    assert {weight for weight, decay in found.items() if decay == 0.625} == pulled
    assert all(decay == 0.125 for weight, decay in found.items() if weight not in pulled)
    assert len(found) == len([*core.parameters()]) + 2


def test_the_step_is_that_of_the_penalty_in_the_loss():
    core = HMemConfig(units=6, penalty=0.3).build((5,))
    before = core.key.weight.detach().clone()
    optimiser = torch.optim.SGD(parameter_groups([core]), 0.1)
    for parameter in core.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    weight = before.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(0.3 * weight.square().sum(), weight)
    torch.testing.assert_close(core.key.weight.detach(), before - 0.1 * gradient)


def test_weights_that_do_not_learn_are_left_out():
    core = LSTMConfig(hidden=4).build((3,))
    core.bias.requires_grad_(False)
    assert core.bias not in decays(core)


def test_a_negative_penalty_is_refused():
    with pytest.raises(ValueError, match=r"penalty=-1\.0: must be 0 or more"):
        HMemConfig(penalty=-1.0).build((5,))
