"""A step of a policy in compiled code beside the plain one."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.testing import assert_close

from agents.networks.compiled_act import act_compiled
from agents.networks.config import PolicyConfig
from agents.networks.inputs import Inputs
from agents.networks.policy import Policy
from envs.spaces.actions import PackedAction
from memory import ConvLSTMConfig, GRUConfig, LSTMConfig, RMCConfig
from memory.core import state_leaves
from memory.fused.acting import code
from memory.fused.held import weights_held

ACTIONS, BATCH = 4, 19
ACTION = spaces.Discrete(ACTIONS)
PICTURES = spaces.Box(0, 255, (5, 4, 3), np.uint8)
CORES = {
    "lstm": LSTMConfig(hidden=8),
    "rmc": RMCConfig(units=32, slots=2, heads=2),
    "convlstm": ConvLSTMConfig(channels=4),
}
OPTIONS = {
    "plain": {},
    "skip and norm": {"skip": True, "output_norm": 3.0},
    "no feedback": {"last_action": False, "last_reward": False},
}

pytestmark = pytest.mark.skipif(code.missing is not None, reason="there is no C++ compiler")


def policy_of(core: Any, action_space: Any = ACTION, **options: Any) -> Policy:
    torch.manual_seed(0)
    config = PolicyConfig(channels=(4, 6), **options)
    return Policy(PICTURES, action_space, core, config).eval()


def inputs_of(seed: int) -> Inputs:
    draw = torch.Generator().manual_seed(seed)
    return Inputs(
        torch.randint(256, (1, BATCH, *PICTURES.shape), generator=draw, dtype=torch.uint8),
        torch.randint(ACTIONS, (1, BATCH), generator=draw),
        2 * torch.randn(1, BATCH, generator=draw),
        torch.rand(1, BATCH, generator=draw) < 0.3,
    )


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("core", CORES)
@torch.no_grad()
def test_compiled_steps_are_the_plain_ones_with_resets(core, options) -> None:
    policy = policy_of(CORES[core], **OPTIONS[options])
    state = policy.initial_state(BATCH)
    for seed in range(4):
        inputs, uniforms = inputs_of(seed), torch.rand(BATCH, 1)
        expected, after = policy.act(inputs, state, uniforms)
        with weights_held(policy):
            found = act_compiled(policy, inputs, state, uniforms)
            action, _ = policy.act(inputs, state, uniforms)
        assert found is not None
        drawn, compiled_after = found
        assert_close(drawn.logits, expected.logits, atol=1e-5, rtol=1e-5)
        assert_close(drawn.values, expected.values, atol=1e-5, rtol=1e-5)
        assert torch.equal(drawn.actions, expected.actions)
        for leaf, other in zip(state_leaves(compiled_after), state_leaves(after), strict=True):
            assert_close(leaf, other, atol=1e-5, rtol=1e-5)
        assert torch.equal(action.logits, drawn.logits) and action.decisions.shape == (BATCH, 0)
        state = compiled_after


@pytest.mark.parametrize("core", CORES)
@torch.no_grad()
def test_an_actor_gets_the_same_bits_in_any_batch(core) -> None:
    policy, inputs, uniforms = policy_of(CORES[core]), inputs_of(0), torch.rand(BATCH, 1)
    state = policy.initial_state(BATCH)
    with weights_held(policy):
        drawn, _ = act_compiled(policy, inputs, state, uniforms) or pytest.fail("it is plain")
        few = Inputs(*(leaf[:, 7:10] for leaf in inputs))
        alone = act_compiled(policy, few, policy.initial_state(3), uniforms[7:10])
    assert alone is not None
    assert all(torch.equal(a, b[7:10]) for a, b in zip(alone[0], drawn, strict=True))


@torch.no_grad()
def test_what_compiled_code_does_not_compute_is_left_to_plain_code() -> None:
    inputs, uniforms = inputs_of(0), torch.rand(BATCH, 1)
    plain = [
        policy_of(GRUConfig(hidden=8)),
        policy_of(LSTMConfig(hidden=8, fused="never")),
        policy_of(CORES["lstm"], PackedAction(spaces.MultiDiscrete([2, 2]), False)),
        policy_of(RMCConfig(units=32, slots=2, heads=2, input="rows")),
        policy_of(CORES["lstm"]).double(),
        policy_of(CORES["lstm"]),
    ]
    plain[-1].encoder.register_forward_hook(lambda *given: None)
    for policy in plain:
        with weights_held(policy):
            assert act_compiled(policy, inputs, policy.initial_state(BATCH), uniforms) is None
    policy = policy_of(CORES["lstm"])
    assert act_compiled(policy, inputs, policy.initial_state(BATCH), uniforms) is None


@torch.no_grad()
def test_weights_that_change_between_unrolls_count() -> None:
    policy, inputs, uniforms = policy_of(CORES["lstm"]), inputs_of(0), torch.rand(BATCH, 1)
    state, found = policy.initial_state(BATCH), []
    for _ in range(2):
        with weights_held(policy):
            found.append(policy.act(inputs, state, uniforms)[0].values)
        policy.value_head.bias.add_(1)
    assert_close(found[1], found[0] + 1)
