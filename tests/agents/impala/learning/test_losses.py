"""The loss on numbers worked by hand, and what enters into it."""

import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from agents.impala.config import LossConfig
from agents.impala.learning.losses import impala_loss as loss_of
from agents.impala.learning.losses import learning_rewards
from agents.impala.trajectory import Trajectory
from agents.networks.distributions import Categorical
from agents.networks.inputs import Inputs
from agents.networks.policy import PolicyOutput
from tests.present import present

EVEN = [[0.0, 0.0]]
FOUR_TO_ONE = [[math.log(4.0), 0.0]]


def batch(**fields: Any) -> Trajectory:
    """Two transitions of one actor, whose actions 0 and 1 had even odds; rewards 1 and 2."""
    inputs = Inputs(
        torch.zeros(3, 1, 1),
        torch.tensor([[0], [0], [1]]),
        torch.tensor([[0.0], [1.0], [2.0]]),
        torch.zeros(3, 1, dtype=torch.bool),
    )
    given = {
        "inputs": inputs,
        "logits": torch.tensor([EVEN, EVEN]),
        "terminated": torch.zeros(2, 1, dtype=torch.bool),
        "truncated": torch.zeros(2, 1, dtype=torch.bool),
        "truncation_values": torch.zeros(2, 1),
        "decisions": torch.zeros(3, 1, 0),
        "decision_logits": torch.zeros(3, 1, 0),
        "state": torch.zeros(1, 1),
        "version": torch.zeros(1, dtype=torch.long),
    }
    return Trajectory(**(given | fields))


def output(**fields: torch.Tensor) -> PolicyOutput:
    """The learner now takes action 0 four times in five; its values are 0 and 4, then 8."""
    given = {
        "logits": torch.tensor([FOUR_TO_ONE] * 3),
        "values": torch.tensor([[0.0], [4.0], [8.0]]),
        "decision_logits": torch.zeros(3, 1, 0),
    }
    return PolicyOutput(**{k: v.requires_grad_() for k, v in (given | fields).items()})


HALF = LossConfig(discount=0.5)


def impala_loss(given: PolicyOutput, trajectory: Trajectory, config: LossConfig):
    """The loss with one of two actions."""
    return loss_of(given, trajectory, config, Categorical(2))


def test_every_term_is_the_one_worked_by_hand() -> None:
    # Ratios 0.8 / 0.5 and 0.2 / 0.5. delta = 1 (1 + 4/2 - 0) = 3 and 0.4 (2 + 8/2 - 4) = 0.8;
    # v = 0 + 3 + 0.5 * 1 * 0.8 = 3.4 and 4 + 0.8 = 4.8;
    # advantages 1 (1 + 4.8/2 - 0) = 3.4 and 0.4 (2 + 8/2 - 4) = 0.8.
    loss = impala_loss(output(), batch(), HALF)
    assert loss.policy.item() == pytest.approx(-(3.4 * math.log(0.8) + 0.8 * math.log(0.2)) / 2)
    assert loss.value.item() == pytest.approx((3.4**2 + 0.8**2) / 2 / 2)
    each = [[-3.4 * math.log(0.8) + 0.25 * 3.4**2], [-0.8 * math.log(0.2) + 0.25 * 0.8**2]]
    assert_close(loss.per_step, torch.tensor(each))
    assert not loss.per_step.requires_grad
    assert loss.entropy.item() == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))
    assert loss.decision_entropy.item() == 0
    assert loss.advantage_rms.item() == pytest.approx(math.sqrt((3.4**2 + 0.8**2) / 2))
    assert loss.mean_value.item() == 4 and loss.mean_rho.item() == pytest.approx(1.0)
    assert loss.kl.item() == pytest.approx(0.5 * (math.log(0.5 / 0.8) + math.log(0.5 / 0.2)))


def test_centred_advantages_add_up_to_nothing() -> None:
    loss = impala_loss(output(), batch(), LossConfig(discount=0.5, centre_advantages=True))
    assert loss.policy.item() == pytest.approx(-(1.3 * math.log(0.8) - 1.3 * math.log(0.2)) / 2)
    plain = impala_loss(output(), batch(), HALF)
    assert loss.value == plain.value and loss.advantage_rms == plain.advantage_rms


def test_the_gradient_leaves_targets_ratios_and_the_bootstrap_alone() -> None:
    given = output()
    loss = impala_loss(given, batch(), HALF)
    (loss.policy + loss.value).backward()
    assert_close(given.values.grad, torch.tensor([[-3.4], [-0.8], [0.0]]) / 2)
    # d log p(a) / d logits is one-hot minus p.
    assert_close(
        given.logits.grad,
        -torch.tensor([[[3.4 * 0.2, -3.4 * 0.2]], [[0.8 * -0.8, 0.8 * 0.8]], [[0.0, 0.0]]]) / 2,
    )


def test_the_end_of_an_episode_cuts_the_target() -> None:
    terminated = torch.tensor([[True], [False]])
    loss = impala_loss(output(), batch(terminated=terminated), HALF)
    assert loss.value.item() == pytest.approx((1.0**2 + 0.8**2) / 2 / 2)


def test_a_truncated_episode_is_worth_its_last_observation() -> None:
    cut = {"truncated": torch.tensor([[True], [False]])}
    loss = impala_loss(output(), batch(**cut, truncation_values=torch.tensor([[6.0], [0.0]])), HALF)
    assert loss.value.item() == pytest.approx(((1 + 6 / 2) ** 2 + 0.8**2) / 2 / 2)


def test_decisions_of_the_core_enter_the_ratio_and_the_policy_gradient() -> None:
    # One decision per step, taken and not taken, at even odds; the learner takes it 3 in 4 times.
    taken = torch.tensor([[[1.0]], [[0.0]], [[1.0]]])
    given = output(decision_logits=torch.full((3, 1, 1), math.log(3.0)))
    loss = impala_loss(given, batch(decisions=taken, decision_logits=torch.zeros(3, 1, 1)), HALF)
    ratios = (0.8 * 0.75 / 0.25, 0.2 * 0.25 / 0.25)
    assert loss.mean_rho.item() == pytest.approx(sum(ratios) / 2)
    advantages = (1 + (4 + 0.2 * 2) / 2, 0.2 * 2)
    expected = advantages[0] * math.log(0.6) + advantages[1] * math.log(0.05)
    assert loss.policy.item() == pytest.approx(-expected / 2)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert loss.decision_entropy.item() == pytest.approx(entropy)
    loss.policy.backward()
    slopes = torch.tensor([advantages[0] * 0.25, advantages[1] * -0.75, 0.0])
    assert_close(present(given.decision_logits.grad).flatten(), -slopes / 2)


def test_the_entropy_of_decisions_pulls_towards_even_odds() -> None:
    given = output(decision_logits=torch.full((3, 1, 2), 1.0))
    nothing = torch.zeros(3, 1, 2)
    loss = impala_loss(given, batch(decisions=nothing, decision_logits=nothing), HALF)
    loss.decision_entropy.backward()
    p = 1 / (1 + math.exp(-1))  # dH/dlogit = -logit p (1 - p), here over two steps
    assert_close(present(given.decision_logits.grad)[:2], torch.full((2, 1, 2), -p * (1 - p) / 2))


@pytest.mark.parametrize(
    ("scale", "clip", "expected"),
    [(1.0, None, [-3, 0.5, 9]), (2.0, None, [-6, 1, 18]), (2.0, 4.0, [-4, 1, 4])],
)
def test_rewards_are_scaled_and_then_clipped(scale, clip, expected) -> None:
    config = LossConfig(reward_scale=scale, reward_clip=clip)
    assert learning_rewards(torch.tensor([-3, 0.5, 9]), config).tolist() == expected


def test_the_loss_learns_from_scaled_rewards() -> None:
    terminated = torch.ones(2, 1, dtype=torch.bool)
    config = LossConfig(discount=0.5, reward_scale=3.0, reward_clip=5.0)
    loss = impala_loss(output(), batch(terminated=terminated), config)
    assert loss.value.item() == pytest.approx((3.0**2 + (0.4 * (5 - 4)) ** 2) / 2 / 2)
