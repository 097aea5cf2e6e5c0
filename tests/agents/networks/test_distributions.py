"""Distributions of actions: densities, entropies and gradients against numbers."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.testing import assert_close

from agents.networks.distributions import MASKED, Categorical, Distribution, Gaussian, Joint
from envs.spaces.actions import PackedAction

DISTRIBUTIONS: dict[str, Distribution] = {
    "categorical": Categorical(4),
    "clipped": Gaussian(2, squash=False),
    "squashed": Gaussian(2, squash=True),
    "masked": Categorical(4, masked=True),
    "joint": Joint([Categorical(3), Gaussian(1, squash=True), Categorical(2)]),
}


def sample(name: str, count: int = 100_000):
    """A distribution, its parameters, and drawn actions."""
    distribution = DISTRIBUTIONS[name]
    generator = torch.Generator().manual_seed(0)
    parameters = 0.7 * torch.randn(
        distribution.num_parameters, generator=generator, dtype=torch.double
    )
    if name == "masked":
        parameters[[0, 3]] = MASKED
    uniforms = torch.rand(count, distribution.size, generator=generator, dtype=torch.double)
    actions = distribution.draw(parameters.expand(count, -1), uniforms)
    return distribution, parameters, actions


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_entropy_is_the_mean_surprise_of_what_is_drawn(name) -> None:
    distribution, parameters, actions = sample(name)
    surprise = -distribution.log_prob(parameters.expand(len(actions), -1), actions)
    assert distribution.entropy(parameters).item() == pytest.approx(
        surprise.mean().item(), abs=0.01
    )


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_divergence_is_the_mean_ratio_of_what_is_drawn(name) -> None:
    distribution, parameters, actions = sample(name)
    other = parameters + 0.3
    other[0] -= 0.7
    p, q = (distribution.log_prob(x.expand(len(actions), -1), actions) for x in (parameters, other))
    assert distribution.kl(parameters, other).item() == pytest.approx(
        (p - q).mean().item(), abs=0.01
    )


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_gradients_are_those_of_finite_differences(name) -> None:
    distribution, parameters, actions = sample(name, count=5)
    parameters = parameters.expand(5, -1).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: distribution.log_prob(x, actions), parameters)
    assert torch.autograd.gradcheck(distribution.entropy, parameters)


def test_the_density_of_a_squashed_number_integrates_to_one() -> None:
    one = Gaussian(1, squash=True)
    x = torch.linspace(-1 + 1e-5, 1 - 1e-5, 200_001, dtype=torch.double)[:, None]
    density = one.log_prob(torch.tensor([0.4, -0.5]).double().expand(len(x), -1), x).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=1e-3)


def test_terms_under_a_mask_are_those_of_the_allowed_actions_alone() -> None:
    masked, parameters, actions = sample("masked", count=9)
    alone, few = Categorical(2), parameters[1:3]
    assert set(actions.tolist()) == {1, 2}
    assert_close(
        masked.log_prob(parameters.expand(9, -1), actions),
        alone.log_prob(few.expand(9, -1), actions - 1),
    )
    assert_close(masked.entropy(parameters), alone.entropy(few))
    other = torch.tensor([MASKED, 0.2, 0.9, MASKED]).double()
    assert_close(masked.kl(parameters, other), alone.kl(few, other[1:3]))


def test_no_uniform_number_draws_an_action_that_is_masked() -> None:
    logits = torch.tensor([MASKED, 0.3, 0.1, MASKED]).expand(2, -1)
    just_above_the_sum = 1 + 1e-6  # which rounding may make a little less than 1
    uniforms = torch.tensor([[0.0], [just_above_the_sum]])
    drawn = Categorical(4, masked=True).draw(logits, uniforms)
    assert drawn.tolist() == [1, 1]


def test_a_joint_distribution_adds_its_parts() -> None:
    joint, parameters, actions = sample("joint", count=4)
    p = parameters.expand(4, -1)
    expected = (
        Categorical(3).log_prob(p[:, :3], actions[:, 0].long())
        + Gaussian(1, squash=True).log_prob(p[:, 3:5], actions[:, 1:2])
        + Categorical(2).log_prob(p[:, 5:], actions[:, 2].long())
    )
    assert_close(joint.log_prob(p, actions), expected)
    assert joint.encode(actions).shape == (4, 3 + 1 + 2)


SPACE = spaces.Dict(
    a=spaces.Discrete(3, start=5),
    b=spaces.Tuple([spaces.MultiDiscrete([2, 4]), spaces.MultiBinary(2)]),
    c=spaces.Box(np.array([0, -4], np.float32), np.array([10, 4], np.float32)),
)


def test_packed_actions_are_actions_of_the_space() -> None:
    packed = PackedAction(SPACE, squash=True)
    packed.seed(0)
    seen = [packed.unpack(packed.sample()) for _ in range(300)]
    assert all(SPACE.contains(action) for action in seen)
    assert {int(action["a"]) for action in seen} == {5, 6, 7}
    numbers = np.array([2, 1, 3, 0, 1, -1, 0.5], np.float32)
    action = packed.unpack(numbers)
    assert action["a"] == 7 and action["b"][0].tolist() == [1, 3]
    assert action["b"][1].tolist() == [0, 1] and action["c"].tolist() == [0, 2]
    assert packed.unpack(numbers * 9)["c"].tolist() == [0, 4]


@pytest.mark.parametrize(
    ("box", "parts", "numbers", "action"),
    [
        (spaces.Box(0, 9, (2,), np.int64), [(10, 1)] * 2, [0, 9], [0, 9]),
        (spaces.Box(-3, 3, (), np.int8), [(7, 1)], [1], -2),
        (spaces.Box(0, 1000, (1,), np.int32), [(0, 1)], [0.501], [750]),
        (spaces.Box(-(2**31), 2**31 - 1, (1,), np.int32), [(0, 1)], [-7.6], [-8]),
        (spaces.Box(0, 10, (), np.float32), [(0, 1)], [0.5], 7.5),
        (spaces.Box(-np.inf, np.inf, (), np.float64), [(0, 1)], [-3.5], -3.5),
    ],
)
def test_boxes_of_integers_and_of_no_dimension(box, parts, numbers, action) -> None:
    packed = PackedAction(box, squash=False)
    assert packed.parts == parts
    unpacked = packed.unpack(np.array(numbers, np.float32))
    assert box.contains(unpacked) and unpacked.tolist() == action
    assert all(box.contains(packed.unpack(packed.sample())) for _ in range(20))


def test_other_actions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"action space .* is not supported: expected Discrete"):
        PackedAction(spaces.Tuple([spaces.Text(3)]), squash=True)
