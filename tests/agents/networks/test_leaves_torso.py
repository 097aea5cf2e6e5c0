"""Packed observations of any space into any core."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.networks.config import PolicyConfig
from agents.networks.distributions import Categorical
from agents.networks.encoder import Encoder
from agents.networks.inputs import Inputs
from agents.networks.leaves_torso import MAX_PLANES, PROJECTED, LeavesTorso, unpack
from agents.networks.policy import Policy
from agents.networks.torso import ImageTorso, downsample_of, stem_strides
from envs.spaces.leaves import Reading
from envs.spaces.packing import PackedObservation
from memory import LSTMConfig, NoMemoryConfig

TIME, BATCH, ACTIONS = 3, 2, 4
SMALL = PolicyConfig(channels=(4, 6))


def bytes_of(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


SPACES: dict[str, spaces.Space] = {
    "minigrid": spaces.Dict(
        image=bytes_of(7, 7, 3), direction=spaces.Discrete(4), mission=spaces.Text(30)
    ),
    "nested": spaces.Tuple(
        [
            spaces.Dict(a=spaces.Box(-1, 1, (3,)), b=spaces.MultiBinary(2)),
            spaces.Discrete(3, start=1),
        ]
    ),
    "channels first": bytes_of(3, 8, 9),
    "grey": bytes_of(6, 7),
    "two images": spaces.Dict(a=bytes_of(5, 5, 3), b=bytes_of(30, 28, 1)),
    "integers": spaces.Box(-5, 5, (2,), np.int32),
    "multi": spaces.MultiDiscrete([3, 2000]),
}


def packed_of(space: spaces.Space, **reading: Any) -> PackedObservation:
    return PackedObservation(list(Reading(**reading).leaves(space)))


def observations_of(space: spaces.Space, packed: PackedObservation, count: int) -> torch.Tensor:
    space.seed(0)
    return torch.from_numpy(np.stack([packed.pack(space.sample()) for _ in range(count)]))


def inputs_of(space: spaces.Space, packed: PackedObservation) -> Inputs:
    return Inputs(
        observations_of(space, packed, TIME * BATCH).unflatten(0, (TIME, BATCH)),
        torch.zeros(TIME, BATCH, dtype=torch.long),
        torch.zeros(TIME, BATCH),
        torch.zeros(TIME, BATCH, dtype=torch.bool),
    )


@pytest.mark.parametrize("name", ["minigrid", "nested"])
def test_every_core_takes_every_space(name, core) -> None:
    space = SPACES[name]
    packed = packed_of(space)
    policy = Policy(packed, spaces.Discrete(ACTIONS), core, SMALL)
    inputs = inputs_of(space, packed)
    decisions = torch.zeros(TIME, BATCH, policy.decision_size)
    out = policy(inputs, policy.initial_state(BATCH), decisions)
    assert out.logits.shape == (TIME, BATCH, ACTIONS) and out.logits.isfinite().all()
    first = Inputs(*(x[:1, :1] for x in inputs))
    action, _ = policy.act(first, policy.initial_state(1), None)
    assert action.logits.isfinite().all()


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", ["vector", "map", "rows"])
def test_every_leaf_reaches_the_core(name, kind) -> None:
    space = SPACES[name]
    packed = packed_of(space)
    torch.manual_seed(0)
    encoder = Encoder(packed, Categorical(ACTIONS), kind, SMALL)
    inputs = inputs_of(space, packed)
    features = encoder(inputs)
    assert features.shape == (TIME, BATCH, *encoder.output_shape)
    for slot in packed.slots:
        blank = inputs.observations.clone()
        blank[..., slot.start : slot.stop] = 0
        assert not torch.equal(encoder(inputs._replace(observations=blank)), features), slot


@pytest.mark.parametrize("count", [1, 5])
def test_values_are_unpacked_exactly(count) -> None:
    space = spaces.Dict(a=spaces.Box(-1e9, 1e9, (2, 2)), b=spaces.Discrete(900), c=bytes_of(3))
    packed = packed_of(space)
    space.seed(1)
    values = [space.sample() for _ in range(count)]
    data = torch.from_numpy(np.stack([packed.pack(value) for value in values]))
    a, b, c = (unpack(data, slot) for slot in packed.slots)
    assert np.array_equal(a, np.stack([value["a"].ravel() for value in values]))
    assert b.squeeze(1).tolist() == [value["b"] for value in values]
    assert np.array_equal(c, np.stack([value["c"] for value in values]))


def test_packed_pictures_give_the_features_of_plain_ones() -> None:
    space = bytes_of(5, 4, 3)
    torch.manual_seed(0)
    plain = Encoder(space, Categorical(ACTIONS), "map", SMALL)
    packed = packed_of(space)
    torch.manual_seed(0)
    other = Encoder(packed, Categorical(ACTIONS), "map", SMALL)
    inputs = inputs_of(space, packed)
    pictures = inputs.observations[..., :60].reshape(TIME, BATCH, 5, 4, 3)
    assert torch.equal(plain(inputs._replace(observations=pictures)), other(inputs))


def test_numbers_are_scaled_by_their_bounds() -> None:
    torso = LeavesTorso(packed_of(SPACES["integers"]), "vector", SMALL)
    packed = packed_of(SPACES["integers"])
    data = torch.from_numpy(packed.pack(np.array([-5, 5], np.int32)))[None]
    assert torso(data).vectors.tolist() == [[0.0, 1.0]]


def test_many_numbers_beside_a_picture_are_projected_for_maps_only() -> None:
    packed = packed_of(spaces.Dict(x=bytes_of(5, 5, 3), y=spaces.Box(-1, 1, (MAX_PLANES + 1,))))
    sizes = {kind: LeavesTorso(packed, kind, SMALL).vector_size for kind in ("vector", "map")}
    assert sizes == {"vector": MAX_PLANES + 1, "map": PROJECTED}


@pytest.mark.parametrize(
    ("side", "expected"),
    [((5, 5), 1), ((19, 19), 1), ((20, 20), 2), ((84, 84), 8), ((210, 160), 16)],
)
def test_large_images_are_made_smaller(side, expected) -> None:
    shape = (*side, 3)
    assert downsample_of(shape, SMALL) == expected
    assert downsample_of(shape, PolicyConfig(downsample=4)) == 4
    torso = ImageTorso(shape, (4,), expected)
    cells = tuple(-(-n // expected) for n in side)
    assert torso.output_shape == (6, *cells)
    assert torso(torch.zeros(1, *shape, dtype=torch.uint8)).shape == (1, 6, *cells)
    assert np.prod(stem_strides(expected), dtype=int) == expected


def test_a_pixel_of_a_large_image_changes_the_cell_that_shows_it() -> None:
    torso = ImageTorso((84, 84, 1), (), 8)
    picture = torch.zeros(1, 84, 84, 1)
    picture[0, 83, 0] = 255
    difference = (torso(picture) - torso(torch.zeros_like(picture))).abs().sum((0, 1))
    assert difference[10, 0] > 0 and difference[:9].sum() == 0 and difference[:, 2:].sum() == 0


def test_a_network_of_unreasonable_size_is_refused_with_its_size_and_the_option() -> None:
    config = PolicyConfig(downsample=1)
    with pytest.raises(ValueError, match=r"would have 894,\d+,\d+ weights.*--policy.downsample"):
        Policy(bytes_of(210, 160, 3), spaces.Discrete(4), LSTMConfig(), config)
    with pytest.raises(ValueError, match=r"take 873,\d+ numbers per step"):
        Policy(bytes_of(210, 160, 3), spaces.Discrete(4), NoMemoryConfig(), config)


@pytest.mark.parametrize("factor", [0, 3, 64])
def test_the_factor_of_size_is_checked(factor) -> None:
    with pytest.raises(ValueError, match=r"downsample=.*: must be auto or one of 1, 2, 4"):
        PolicyConfig(downsample=factor)
