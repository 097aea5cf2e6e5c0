"""The learner: what an update changes, and what an update that fails does not."""

import copy
from typing import Any

import pytest
import torch

from agents.impala.build import build_learner, build_policy, build_rollout
from agents.impala.config import ImpalaConfig, LossConfig, OptimizerConfig
from agents.impala.learning.learner import Learner, NotFinite
from agents.impala.trajectory import Trajectory
from agents.networks.config import PolicyConfig
from agents.runs.weights import flatten, unflatten
from envs import BoxWorldConfig
from memory import LSTMConfig, MemoryNetConfig

ACTORS, UNROLL = 4, 5
LSTM = LSTMConfig(hidden=8)
FRAMES = ACTORS * UNROLL


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
    """A learner and a batch for it, with a reward to learn from."""
    rollout = build_rollout(config, build_policy(config), range(ACTORS), 0)
    rollout.unroll(0)
    batch = rollout.unroll(0).trajectory
    return build_learner(config, build_policy(config).eval()), with_reward(batch, 1.0)


def with_reward(batch: Trajectory, reward: float) -> Trajectory:
    rewards = batch.inputs.last_rewards.clone()
    rewards[2, 1] = reward
    return batch._replace(inputs=batch.inputs._replace(last_rewards=rewards))


def snapshot(learner: Learner) -> tuple[Any, ...]:
    weights = {name: x.clone() for name, x in learner.policy.state_dict().items()}
    return weights, copy.deepcopy(learner.get_state())


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def test_an_update_moves_what_learns_and_nothing_else(core) -> None:
    learner, batch = prepared(settings(core))
    before, _ = snapshot(learner)
    metrics = learner.update(batch)
    learns = {name for name, p in learner.policy.named_parameters() if p.requires_grad}
    statistics = {name for name, _ in learner.policy.named_buffers() if name in before}
    moved = {n for n, x in learner.policy.state_dict().items() if not torch.equal(x, before[n])}
    adapts = getattr(core, "mode", "frozen") != "frozen"
    assert moved == learns | (statistics if adapts else set())
    assert metrics["loss/gradient_norm"] > 0 and metrics["loss/learning_rate"] == 2e-4
    assert learner.updates == 1 and learner.frames == FRAMES


def test_weights_travel_as_one_vector(core) -> None:
    one, other = (build_policy(settings(core, seed=seed)) for seed in (0, 1))
    vector = flatten(one)
    assert vector.dim() == 1 and not torch.equal(vector, flatten(other))
    unflatten(other, vector)
    assert_same(one.state_dict(), other.state_dict())
    with torch.no_grad():
        one.value_head.bias.add_(1)
    assert torch.equal(vector, flatten(other)) and not torch.equal(vector, flatten(one))


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_a_learner_goes_on_from_its_state_bit_for_bit(core, name) -> None:
    config = settings(
        core,
        optimizer=OptimizerConfig(name=name, momentum=0.5),
        loss=LossConfig(reward_scale=100.0),
    )
    learner, batch = prepared(config)
    learner.update(batch)
    weights, state = snapshot(learner)
    other = build_learner(config, build_policy(config))
    other.policy.load_state_dict(weights)
    other.set_state(state)
    for _ in range(2):
        assert learner.update(batch) == other.update(batch)
    assert_same(snapshot(learner), snapshot(other))


def assert_refused(learner: Learner, batch: Trajectory, term: str) -> None:
    """The update is refused for a term, and leaves no trace."""
    before = snapshot(learner)
    with pytest.raises(NotFinite, match=f"{term} is (nan|inf) at update 1;") as caught:
        learner.update(batch)
    assert caught.value.term == term
    weights, state = snapshot(learner)
    assert_same(clean(weights), clean(before[0]))
    assert_same(state, before[1])


def clean(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A number in place of what is none, to compare."""
    return {name: x.nan_to_num() for name, x in weights.items()}


def test_a_reward_that_is_no_number_is_refused(core) -> None:
    learner, batch = prepared(settings(core))
    learner.update(batch)
    assert_refused(learner, with_reward(batch, float("nan")), "loss/policy")
    learner.update(batch)


def test_weights_that_are_no_number_are_refused(core) -> None:
    learner, batch = prepared(settings(core))
    learner.update(batch)
    with torch.no_grad():
        learner.policy.value_head.bias.fill_(float("nan"))
    assert_refused(learner, batch, "loss/policy")


@pytest.mark.parametrize(
    ("reward", "term"), [(1e30, "loss/value"), (1e18, "gradient norm")], ids=["loss", "gradient"]
)
def test_what_overflows_is_named(reward, term) -> None:
    learner, batch = prepared(settings(loss=LossConfig(value_cost=1e4)))
    learner.update(batch)
    assert_refused(learner, with_reward(batch, reward), term)


def test_the_learning_rate_falls_to_zero_at_the_last_frame() -> None:
    learner, batch = prepared(settings())
    rates = [learner.update(batch)["loss/learning_rate"] for _ in range(5)]
    assert rates == pytest.approx([2e-4, 1.5e-4, 1e-4, 0.5e-4, 0.0])
    before, _ = snapshot(learner)
    assert learner.update(batch)["loss/learning_rate"] == 0
    assert_same(snapshot(learner)[0], before)


def test_the_learning_rate_is_that_of_the_step() -> None:
    learner, batch = prepared(settings(frames=2 * FRAMES))
    learner.update(batch)
    before = flatten(learner.policy)
    learner.update(batch)
    other, _ = prepared(settings(frames=10**12))
    other.update(batch)
    full = other.optimizer.param_groups[0]["lr"]
    assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(full / 2)
    assert not torch.equal(flatten(learner.policy), before)


def test_a_constant_learning_rate_stays() -> None:
    learner, batch = prepared(settings(optimizer=OptimizerConfig(schedule="constant")))
    assert {learner.update(batch)["loss/learning_rate"] for _ in range(5)} == {2e-4}


def test_the_gradient_is_clipped_by_its_norm() -> None:
    learner, batch = prepared(settings(optimizer=OptimizerConfig(clip_norm=1e-3)))
    assert learner.update(batch)["loss/gradient_norm"] > 1e-3
    parts = [p.grad.norm() for p in learner.policy.parameters() if p.grad is not None]
    assert torch.stack(parts).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_the_total_is_the_weighted_sum_of_the_terms_with_entropy_as_a_bonus() -> None:
    core = MemoryNetConfig(units=8, slots=2, mode="reinforce")
    learner, batch = prepared(settings(core, loss=LossConfig(value_cost=0.25, entropy_cost=2.0)))
    terms = {name.removeprefix("loss/"): x for name, x in learner.update(batch).items()}
    assert terms["entropy"] > 0 and terms["decision_entropy"] > 0
    bonus = 2.0 * (terms["entropy"] + terms["decision_entropy"])
    assert terms["total"] == pytest.approx(terms["policy"] + 0.25 * terms["value"] - bonus)


def test_the_entropy_bonus_makes_the_policy_more_even() -> None:
    config = settings(
        loss=LossConfig(entropy_cost=10.0), optimizer=OptimizerConfig(learning_rate=0.01)
    )
    learner, batch = prepared(config)
    with torch.no_grad():
        learner.policy.policy_head.bias.copy_(torch.tensor([2.0, 0.0, 0.0, 0.0]))
    entropies = [learner.update(batch)["loss/entropy"] for _ in range(3)]
    assert entropies[0] < entropies[1] < entropies[2]


def test_kernels_for_a_gpu_are_refused_on_a_cpu() -> None:
    with pytest.raises(ValueError, match=r"fused=triton: .*; use fused=auto"):
        prepared(settings(LSTMConfig(hidden=8, fused="triton")))
