"""The policy: any supported space into any core, what it sees, and how it chooses."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor
from torch.testing import assert_close

from agents.networks.config import PolicyConfig
from agents.networks.distributions import Categorical, draw
from agents.networks.encoder import Encoder
from agents.networks.inputs import Inputs
from agents.networks.policy import Policy
from agents.networks.torso import ImageTorso
from memory import DecidingMemoryNet, LSTMConfig, MemoryNetConfig, RMCConfig
from tests.present import present

TIME, BATCH, ACTIONS = 3, 2, 4
LSTM = LSTMConfig(hidden=8)
SPACES = {
    "image": (spaces.Box(0, 255, (5, 4, 3), np.uint8), (8, 5, 4)),
    "box": (spaces.Box(-1, 1, (2, 3), np.float64), (6, 1, 1)),
    "number": (spaces.Box(-1, 1, (), np.float32), (1, 1, 1)),
    "discrete": (spaces.Discrete(7, start=2), (7, 1, 1)),
}


def inputs_of(space: spaces.Space, resets: bool = False, seed: int = 0) -> Inputs:
    """Random inputs of three steps of two actors."""
    generator = torch.Generator().manual_seed(seed)
    space.seed(seed)
    seen = [[torch.as_tensor(space.sample()) for _ in range(BATCH)] for _ in range(TIME)]
    return Inputs(
        torch.stack([torch.stack(row) for row in seen]),
        torch.randint(ACTIONS, (TIME, BATCH), generator=generator),
        torch.randn(TIME, BATCH, generator=generator),
        torch.full((TIME, BATCH), resets),
    )


def encoder(space: spaces.Space, kind: Any = "vector", **fields: bool) -> Encoder:
    return Encoder(space, Categorical(ACTIONS), kind, PolicyConfig(channels=(4, 6), **fields))


def policy_for(space: spaces.Space, core: Any = LSTM) -> Policy:
    torch.manual_seed(0)
    return Policy(space, spaces.Discrete(ACTIONS), core, PolicyConfig(channels=(4, 6)))


@pytest.mark.parametrize("low", [0.0, -3.0])
def test_compiled_convolutions_give_the_features_of_plain_ones(low) -> None:
    torso = ImageTorso((5, 4, 3), (4, 6), low=low)
    images = torch.randint(256, (7, 5, 4, 3), dtype=torch.uint8)
    if torso.why_plain(images):
        pytest.skip("there is no C++ compiler")
    plain = torso.double()
    expected = plain(images)
    assert "float64" in str(plain.why_plain(images))
    assert_close(torso.float()(images), expected.float())


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["vector", "map", "rows"])
def test_every_space_becomes_what_the_core_wants(space, kind) -> None:
    space, (depth, height, width) = SPACES[space]
    extra = ACTIONS + 1
    expected = {
        "vector": (depth * height * width + extra,),
        "map": (depth + extra, height, width),
        "rows": (height * width, depth + extra),
    }[kind]
    made = encoder(space, kind)
    assert made.output_shape == expected
    features = made(inputs_of(space))
    assert features.shape == (TIME, BATCH, *expected) and features.dtype == torch.float32


@pytest.mark.parametrize("space", SPACES)
def test_every_core_acts_on_every_space(space, core) -> None:
    policy = policy_for(SPACES[space][0], core)
    inputs, decided = inputs_of(SPACES[space][0]), torch.zeros(TIME, BATCH, policy.decision_size)
    out = policy(inputs, policy.initial_state(BATCH), decided)
    assert out.logits.shape == (TIME, BATCH, ACTIONS) and out.values.shape == (TIME, BATCH)
    assert out.decision_logits.shape == decided.shape


def test_maps_and_rows_show_the_same_in_another_order() -> None:
    space, (_, height, width) = SPACES["image"]
    as_map, as_rows = encoder(space, "map"), encoder(space, "rows")
    as_rows.load_state_dict(as_map.state_dict())
    inputs = inputs_of(space)
    rows = as_rows(inputs).unflatten(2, (height, width)).movedim(-1, 2)
    assert torch.equal(rows, as_map(inputs))


def test_images_are_scaled_and_padded_at_the_bottom_and_right() -> None:
    torso = ImageTorso((3, 4, 1), (1,))
    first = torso.convolutions[0]
    assert isinstance(first, torch.nn.Conv2d)
    with torch.no_grad():
        present(first.bias).zero_()
        first.weight.zero_()[0, 0, 1, 1] = 255.0  # the neighbour below to the right
    image = torch.arange(12, dtype=torch.uint8).view(1, 3, 4, 1)
    shifted = torch.tensor([[5.0, 6, 7, 0], [9, 10, 11, 0], [0, 0, 0, 0]])
    x = torch.linspace(-1, 1, 4).expand(3, 4)
    y = torch.linspace(-1, 1, 3)[:, None].expand(3, 4)
    assert_close(torso(image)[0], torch.stack([shifted, x, y]))


def test_symbols_are_one_hot_from_their_first_on() -> None:
    made = encoder(SPACES["discrete"][0], last_action=False, last_reward=False)
    inputs = inputs_of(SPACES["discrete"][0])
    assert torch.equal(made(inputs).argmax(-1) + 2, inputs.observations)
    assert torch.equal(made(inputs).sum(-1), torch.ones(TIME, BATCH))


def test_the_last_action_and_reward_follow_the_observation() -> None:
    space = SPACES["number"][0]
    inputs = inputs_of(space)
    features = encoder(space)(inputs)
    assert torch.equal(features[..., 1:-1].argmax(-1), inputs.last_actions)
    assert torch.equal(features[..., -1], inputs.last_rewards.clamp(-1, 1))
    assert (inputs.last_rewards.abs() > 1).any()


@pytest.mark.parametrize("kind", ["vector", "map", "rows"])
def test_where_an_episode_opens_there_is_no_last_action_or_reward(kind) -> None:
    made = encoder(SPACES["image"][0], kind)
    opening = inputs_of(SPACES["image"][0], resets=True)
    other = opening._replace(
        last_actions=(opening.last_actions + 1) % ACTIONS, last_rewards=opening.last_rewards + 1
    )
    assert torch.equal(made(opening), made(other))
    going_on = [x._replace(resets=~x.resets) for x in (opening, other)]
    assert not torch.equal(made(going_on[0]), made(going_on[1]))


@pytest.mark.parametrize("field", ["last_action", "last_reward"])
def test_what_is_switched_off_is_not_seen(field) -> None:
    space = SPACES["box"][0]
    made = encoder(space, **{field: False})
    inputs = inputs_of(space)
    assert made.output_shape[0] == encoder(space).output_shape[0] - (
        ACTIONS if field == "last_action" else 1
    )
    other = inputs._replace(**{f"{field}s": torch.ones_like(getattr(inputs, f"{field}s"))})
    assert torch.equal(made(inputs), made(other))


def test_an_episode_that_opens_forgets_the_state(core) -> None:
    space = SPACES["image"][0]
    policy = policy_for(space, core).eval()
    opening = Inputs(*(x[:1] for x in inputs_of(space, resets=True)))
    fresh = policy.initial_state(BATCH)
    uniforms = torch.full((BATCH, 1 + policy.decision_size), 0.3)
    with torch.no_grad():
        _, used = policy.act(opening, fresh, uniforms)
        chosen = [policy.act(opening, state, uniforms)[0] for state in (fresh, used)]
    for a, b in zip(*chosen, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("core", [LSTM, RMCConfig(units=16, heads=2, slots=2)])
@pytest.mark.parametrize("skip", [False, True])
def test_the_heads_get_the_output_of_every_core_at_one_scale(core, skip) -> None:
    config = PolicyConfig(channels=(4, 6), output_norm=0.3, skip=skip)
    policy = Policy(SPACES["image"][0], spaces.Discrete(ACTIONS), core, config)
    seen: list[Tensor] = []
    policy.policy_head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    policy(inputs_of(SPACES["image"][0]), policy.initial_state(BATCH))
    width = policy.core.output_size
    assert_close(
        seen[0][..., :width].norm(dim=-1), torch.full((TIME, BATCH), 0.3), rtol=0.01, atol=0
    )
    assert seen[0].shape[-1] == width + skip * math.prod(policy.encoder.output_shape)


def test_a_norm_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"output_norm=0\.0: must be above 0 and finite"):
        PolicyConfig(output_norm=0.0)


def test_actions_are_drawn_as_often_as_they_are_likely() -> None:
    probabilities = torch.tensor([0.5, 0.125, 0.0, 0.375])
    uniforms = (torch.arange(800) + 0.5) / 800
    actions = draw(probabilities.log().expand(800, -1), uniforms)
    assert actions.bincount(minlength=4).tolist() == [400, 100, 0, 300]


def test_the_ends_of_the_uniform_range_are_actions_too() -> None:
    logits = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    for u in (0.0, 1.0):
        actions = draw(logits, torch.full((100,), u))
        assert actions.unique().tolist() == [0 if u == 0 else 4]


def test_decisions_are_drawn_as_often_as_they_are_likely() -> None:
    core = MemoryNetConfig(units=8, slots=2, mode="reinforce")
    policy = policy_for(SPACES["number"][0], core)
    assert isinstance(policy.core, DecidingMemoryNet)
    last = policy.core.decision[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.25, 0.75]).logit())
    count = 400
    inputs = Inputs(
        torch.zeros(1, count), torch.zeros(1, count).long(), torch.zeros(1, count),
        torch.ones(1, count).bool(),
    )  # fmt: skip
    uniforms = ((torch.arange(count) + 0.5) / count)[:, None].expand(-1, 3)

    def decided(uniforms: Tensor | None) -> list[float]:
        action, _ = policy.act(inputs, policy.initial_state(count), uniforms)
        return action.decisions.mean(0).tolist()

    assert decided(uniforms) == [0.25, 0.75]
    assert decided(None) == [0, 1]


def test_without_uniform_numbers_the_likeliest_is_chosen() -> None:
    space = SPACES["box"][0]
    policy = policy_for(space)
    inputs = Inputs(*(x[:1] for x in inputs_of(space)))
    action, _ = policy.act(inputs, policy.initial_state(BATCH), None)
    assert torch.equal(action.actions, action.logits.argmax(-1))


@pytest.mark.parametrize(
    "space", [spaces.Dict({"x": spaces.Discrete(2)}), spaces.MultiBinary(3), spaces.Text(4)]
)
def test_observations_that_are_not_one_array_must_be_packed(space) -> None:
    with pytest.raises(ValueError, match=r"observation space .* is not packed"):
        policy_for(space)


@pytest.mark.parametrize("space", [spaces.Box(0, 1, (2,)), spaces.Discrete(3, start=1)])
def test_other_actions_are_refused_by_name(space) -> None:
    with pytest.raises(ValueError, match=r"action space .* is not supported: expected Discrete"):
        Policy(SPACES["box"][0], space, LSTMConfig(), PolicyConfig())


@pytest.mark.parametrize("output", ["input_and_memory", "memory"])
def test_a_value_that_would_depend_on_its_decision_is_refused(output: Any) -> None:
    core = MemoryNetConfig(mode="reinforce", units=8, slots=2, output=output)
    with pytest.raises(ValueError, match=r"--core\.output input_and_memory_before"):
        policy_for(SPACES["box"][0], core)
    policy_for(SPACES["box"][0], replace(core, output="input_and_memory_before"))
