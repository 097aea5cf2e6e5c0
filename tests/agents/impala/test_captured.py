"""What a GPU replays, as far as a CPU can tell: it computes the same, and reads no number."""

import copy
import importlib
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from agents.impala.build import build_learner, build_policy, build_rollout
from agents.impala.config import ImpalaConfig, LossConfig, OptimizerConfig
from agents.impala.learning.learner import Learner, NotFinite, UpdateInputs
from agents.impala.rollout import ActInputs, Rollout
from agents.impala.trajectory import Trajectory
from agents.networks.config import PolicyConfig
from agents.networks.inputs import Inputs
from agents.networks.policy import Policy
from agents.runs.device import uses_graphs
from envs import BoxWorldConfig
from memory import LSTMConfig
from memory.core import map_state, state_leaves
from memory.layers.captured import Captured
from tests.fake_gpu import ASKED, lose_numbers, without_numbers

ACTORS, UNROLL = 4, 5
FRAMES = ACTORS * UNROLL


LSTM = LSTMConfig(hidden=8)


def settings(core: Any = LSTM, **fields: Any) -> ImpalaConfig:
    given = {
        "env": BoxWorldConfig(max_steps=3),
        "policy": PolicyConfig(channels=(4, 6)),
        "actors": ACTORS,
        "unroll": UNROLL,
        "frames": 4 * FRAMES,
        "device": "cpu",
    }
    return ImpalaConfig(core=core, **(given | fields))


def prepared(config: ImpalaConfig) -> tuple[Learner, Trajectory]:
    """A learner that waits, and a batch for it."""
    rollout = build_rollout(config, build_policy(config), range(ACTORS))
    batch = with_reward(rollout.unroll(0).trajectory, 1.0)
    return build_learner(config, build_policy(config).eval()), batch


def captured(config: ImpalaConfig) -> tuple[Learner, Trajectory]:
    """A learner that computes as on a GPU, and a batch for it."""
    policy, batch = build_policy(config), prepared(config)[1]
    return Learner(policy, config.loss, config.optimizer, config.frames, graphs=True), batch


def with_reward(batch: Trajectory, reward: float) -> Trajectory:
    rewards = batch.inputs.last_rewards.clone()
    rewards[2, 1] = reward
    return batch._replace(inputs=batch.inputs._replace(last_rewards=rewards))


def leaves(value: Any) -> list[Any]:
    """Tensors and numbers of anything nested."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def assert_same(one: Any, other: Any) -> None:
    for a, b in zip(leaves(one), leaves(other), strict=True):
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def snapshot(learner: Learner) -> Any:
    state = learner.get_state()
    state["optimizer"] = state["optimizer"]["state"]  # without the rate, which each update sets
    return copy.deepcopy((learner.policy.state_dict(), state))


class Pair(NamedTuple):
    one: Any
    other: Any


def test_neither_what_is_given_nor_what_is_returned_is_shared():
    places = set()

    def add(pair: Pair) -> Pair:
        places.add(pair.other.data_ptr())
        return Pair(pair.one, pair.other.add_(pair.one))

    function = Captured(add, "cpu")
    given = Pair(torch.ones(2), torch.ones(2))
    first = function(given)
    second = function(Pair(torch.zeros(2), torch.full((2,), 5.0)))
    assert_same(given, Pair(torch.ones(2), torch.ones(2)))
    assert_same(first, Pair(torch.ones(2), torch.full((2,), 2.0)))
    assert_same(second, Pair(torch.zeros(2), torch.full((2,), 5.0)))
    assert len(places) == 1


@pytest.mark.parametrize("other", [torch.ones(3), torch.ones(1), torch.ones(2).double()])
def test_inputs_of_another_shape_or_type_are_refused(other):
    function = Captured(lambda x: x + 1, "cpu")
    function(torch.ones(2))
    with pytest.raises(ValueError, match=r"captured for torch.float32 \[2\], called with"):
        function(other)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_captured_updates_are_those_of_a_learner_that_waits_bit_for_bit(core, momentum):
    config = settings(core, optimizer=OptimizerConfig(momentum=momentum))
    learner, batch = prepared(config)
    other, _ = captured(config)
    for reward in (1.0, 2.0, -1.0):
        batch = with_reward(batch, reward)
        assert learner.update(batch) == other.update(batch)
    assert learner.learning_rate == other.learning_rate < 2e-4
    assert_same(learner.policy.state_dict(), other.policy.state_dict())
    for weight, state in learner.optimizer.state.items():
        name = next(n for n, p in learner.policy.named_parameters() if p is weight)
        assert_same(state, other.optimizer.state[other.policy.get_parameter(name)])


def test_metrics_wait_until_they_are_read_and_adam_learns_the_same():
    config = settings(optimizer=OptimizerConfig(name="adam", momentum=0.9))
    learner, batch = prepared(config)
    other, _ = captured(config)
    assert other.read() == {}
    expected = {}
    for _ in range(3):
        expected = learner.update(batch)
        other.learn(batch)
    assert other.read() == other.read() == pytest.approx(expected, rel=1e-3)
    assert other.updates == 3 and other.frames == 3 * FRAMES
    for ours, theirs in zip(learner.policy.parameters(), other.policy.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_captured_update_that_is_refused_leaves_no_trace(core):
    learner, batch = captured(settings(core))
    learner.update(batch)
    before = snapshot(learner)
    with pytest.raises(NotFinite, match="loss/policy is nan at update 1;"):
        learner.update(with_reward(batch, float("nan")))
    assert_same(snapshot(learner), before)
    learner.update(batch)


def test_after_a_refused_update_none_is_made_until_it_is_told():
    learner, batch = captured(settings(loss=LossConfig(value_cost=1e4)))
    learner.update(batch)
    before = snapshot(learner)
    learner.learn(with_reward(batch, 1e17))
    learner.learn(batch)
    with pytest.raises(NotFinite, match=r"gradient norm is (nan|inf) at update 1;"):
        learner.read()
    assert_same(snapshot(learner), before)
    assert learner.updates == 1 and learner.frames == FRAMES
    learner.update(batch)
    assert learner.updates == 2


def test_a_first_update_that_is_refused_leaves_nothing_to_the_optimiser():
    learner, batch = captured(settings())
    with pytest.raises(NotFinite):
        learner.update(with_reward(batch, float("nan")))
    assert not any(x.any() for state in learner.optimizer.state.values() for x in state.values())


def test_a_state_is_taken_over_whether_it_was_captured_or_not():
    one, batch = prepared(settings())
    other, _ = captured(settings())
    for _ in range(2):
        one.update(batch)
        other.policy.load_state_dict(one.policy.state_dict())
        other.set_state(one.get_state())
        assert one.update(batch) == other.update(batch)
        one.policy.load_state_dict(other.policy.state_dict())
        state = other.get_state()
        for group in state["optimizer"]["param_groups"]:  # as it is on a GPU
            group |= {"capturable": True, "foreach": True}
        one.set_state(state)
    assert_same(one.policy.state_dict(), other.policy.state_dict())


def acting(core: Any, graphs: bool) -> Rollout:
    config = settings(core)
    rollout = build_rollout(config, build_policy(config), range(config.actors))
    return Rollout(
        rollout.env,
        rollout.policy,
        actors=rollout.actors,
        unroll=config.unroll,
        seed=config.seed,
        graphs=graphs,
    )


def test_captured_acting_is_the_same_and_earlier_trajectories_stay(core):
    one, other = acting(core, graphs=False), acting(core, graphs=True)
    first = other.unroll(0).trajectory
    kept = map_state(torch.clone, first)
    assert_same(one.unroll(0).trajectory, first)
    assert_same(one.unroll(1).trajectory, other.unroll(1).trajectory)
    assert_same(kept, first)
    ours, theirs = one.get_state(), other.get_state()
    assert np.array_equal(ours["random"], theirs["random"])
    assert_same(ours["state"], theirs["state"])


@pytest.fixture(autouse=True)
def nothing_is_captured(request, monkeypatch):
    """A GPU that is pretended: optimisers take it for one, and nothing is captured."""
    if "gpu" not in request.fixturenames:
        return
    monkeypatch.setattr(
        "agents.impala.learning.learner.Captured", lambda function, device: function
    )
    for name in ("rmsprop", "adam"):
        module = importlib.import_module(f"torch.optim.{name}")
        monkeypatch.setattr(module, "_get_capturable_supported_devices", lambda *_, **__: ["cpu"])


def pretended(core: Any, mode: FakeTensorMode) -> tuple[Policy, Trajectory]:
    """A policy and a batch that have shapes only."""
    rollout = build_rollout(settings(core), build_policy(settings(core)), range(4))
    batch = rollout.unroll(0).trajectory
    lose_numbers(rollout.policy, mode)
    return rollout.policy, without_numbers(batch, mode)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_an_update_asks_a_gpu_for_no_number(core, optimizer, gpu):
    config = settings(core, optimizer=OptimizerConfig(name=optimizer, momentum=0.5))
    policy, batch = pretended(core, gpu)
    with gpu:
        learner = Learner(policy, config.loss, config.optimizer, config.frames)
        learner.device = "cuda"
        learner._prepare_capture()
        update_inputs = UpdateInputs(batch, torch.empty(()))
        if policy.core.branches_on_data:
            with pytest.raises(ASKED):
                learner._update_where_finite(update_inputs)
        else:
            report = learner._update_where_finite(update_inputs)
            assert len(report) == len(learner._names)


def test_acting_asks_a_gpu_for_no_number(core, gpu):
    rollout = acting(core, graphs=True)
    rollout.policy, batch = pretended(core, gpu)
    inputs = Inputs(*(x[:1] for x in batch.inputs))
    with gpu, torch.no_grad():
        uniforms = torch.empty(4, 1 + rollout.policy.decision_size)
        acted = rollout._act_on(ActInputs(inputs, batch.state, uniforms))
    assert acted.action.actions.shape == (4,)
    shapes = [[x.shape for x in state_leaves(state)] for state in (acted.state, batch.state)]
    assert shapes[0] == shapes[1]


def test_graphs_are_captured_on_a_gpu_unless_told_otherwise():
    assert uses_graphs("auto", "cuda") and not uses_graphs("auto", "cpu")
    assert not uses_graphs("never", "cuda")


def test_acting_on_a_gpu_that_is_not_there_is_refused(monkeypatch):
    config, policy = settings(acting_device="cuda"), build_policy(settings())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="--acting-device cuda: PyTorch finds no CUDA device"):
        build_rollout(config, policy, range(2))
