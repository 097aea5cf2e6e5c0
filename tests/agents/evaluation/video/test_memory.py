"""What is drawn of a memory is what the core computes, for every core."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from agents.evaluation.player import PolicyPlayer, playing
from agents.evaluation.video.memory import MemoryRecorder
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from envs import BoxWorldConfig
from memory import CORES, RMCConfig
from memory.core import Core
from memory.inspect import inspect
from memory.observed import Observed

ENV = BoxWorldConfig(grid_size=8, solution_length=(1,), num_distractors=(0,), max_steps=9)
STEPS = 6
SMALL = [
    pytest.param(config, id=f"{name} {mode}".strip())
    for name, core in CORES.items()
    for mode, config in core.small().items()
]


def record(policy, steps=STEPS, games=2, game=1, greedy=False):
    """Play, and record one game; returns the steps and their parts."""
    env, acted, parts = ENV.make_vector(games), [], []
    with playing(policy, env, seed=3, greedy=greedy) as player:
        assert isinstance(player, PolicyPlayer)
        recorder = MemoryRecorder(policy, game)
        for _ in range(steps):
            observations, rewards, terminated, truncated, _ = env.step(player.act())
            assert player.acted is not None
            acted.append(player.acted)
            parts.append({part.name: part for part in recorder.record(player.acted)})
            player.observe(observations, rewards, terminated | truncated)
    return acted, parts


def policy_of(core):
    return build_policy(ImpalaConfig(env=ENV, core=core)).eval()


@pytest.mark.parametrize("config", SMALL)
def test_every_observed_value_and_every_state_of_every_core_is_a_part(config):
    policy = policy_of(config)
    (step, _), parts = record(policy, steps=2)
    seen = inspect(policy.core, policy.encoder(step.inputs), policy.initial_state(2))
    filled = {name for name, leaf in seen.states.items() if leaf.numel()}
    assert set(seen.observed) | filled == set(parts[0]) == set(parts[1])
    assert seen.observed
    assert all(np.isfinite(part.values).all() for part in parts[-1].values())


@torch.no_grad()
def test_attention_and_gates_are_those_of_the_core_that_acted():
    policy = policy_of(RMCConfig(units=32, slots=2, heads=2))
    acted, parts = record(policy)
    inputs = [torch.cat([step.inputs[i] for step in acted])[:, 1:] for i in range(4)]
    features = policy.encoder(type(acted[0].inputs)(*inputs))
    seen = inspect(policy.core, features, policy.initial_state(1), inputs[3])
    for t in range(STEPS):
        for name, values in seen.observed.items():
            assert np.allclose(parts[t][name].values, values[t, 0].numpy(), atol=1e-6)
        assert np.allclose(parts[t]["memory"].values, seen.states["memory"][t, 0], atol=1e-5)
    weights = parts[-1]["blocks.0.attend.weights"]
    assert np.allclose(weights.values.sum(-1), 1)
    assert weights.axes == {"head": (), "query": ["1", "2", "in"], "key": ["1", "2", "in"]}
    gates = np.stack([parts[t]["input_gate"].values.ravel() for t in range(STEPS)])
    assert np.allclose(parts[-1]["input_gate"].rows, gates)


def test_decisions_are_those_that_were_taken():
    policy = policy_of(CORES["memory_net"].small()["reinforce"])
    acted, parts = record(policy)
    for step, seen in zip(acted, parts, strict=True):
        assert seen["writes"].values.tolist() == step.action.decisions[1].tolist()
    assert len({tuple(seen["writes"].values) for seen in parts}) > 1


def test_recording_changes_no_action():
    policy = policy_of(RMCConfig(units=32, slots=2, heads=2))
    (with_it, _), alone = record(policy), []
    env = ENV.make_vector(2)
    with playing(policy, env, seed=3, greedy=False) as player:
        assert isinstance(player, PolicyPlayer)
        for _ in range(STEPS):
            observations, rewards, terminated, truncated, _ = env.step(player.act())
            assert player.acted is not None
            alone.append(player.acted.action.logits)
            player.observe(observations, rewards, terminated | truncated)
    assert all(torch.equal(a.action.logits, b) for a, b in zip(with_it, alone, strict=True))


class Counter(Core[torch.Tensor]):
    """A core that nobody has drawn before."""

    def __init__(self, features):
        super().__init__()
        self.read, self.output_size = nn.Linear(features, 3), 3
        self.surprise = Observed()

    def initial_state(self, batch):
        return torch.zeros(batch, 3)

    def step(self, x, state):
        state = state + self.surprise(torch.sigmoid(self.read(x)))
        return state, state


def test_a_new_core_shows_its_observed_parts_without_code_of_the_videos():
    policy = policy_of(RMCConfig(units=32, slots=2, heads=2))
    policy.core = Counter(policy.encoder.output_shape[0])
    policy.policy_head, policy.value_head = nn.Linear(3, 4), nn.Linear(3, 1)
    policy.initial_state = partial(Counter.initial_state, policy.core)
    _, parts = record(policy)
    assert set(parts[0]) == {"surprise", "memory"}
    assert np.allclose(parts[-1]["memory"].values, parts[-1]["surprise"].rows.sum(0), atol=1e-6)
