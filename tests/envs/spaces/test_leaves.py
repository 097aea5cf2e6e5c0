"""How the leaves of an observation space are read."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from envs.spaces.leaves import MAX_WORDS, Leaf, Reading, is_read_as_it_is, word_numbers
from envs.spaces.packing import PackedObservation


def leaf_of(space: spaces.Space, **reading) -> Leaf:
    """The only leaf of a space."""
    (leaf,) = Reading(**reading).leaves(space)
    return leaf


def bytes_of(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize(
    ("shape", "channels_first", "expected"),
    [
        ((5, 5, 6), None, (5, 5, 6)),
        ((15, 19, 3), None, (15, 19, 3)),
        ((84, 84), None, (84, 84, 1)),
        ((3, 64, 48), None, (64, 48, 3)),
        ((4, 84, 84), None, (84, 84, 4)),
        ((4, 84, 84, 3), None, (84, 84, 12)),
        ((84, 84, 3, 4), None, (84, 84, 12)),
        ((4, 3, 84, 84), None, (84, 84, 12)),
        ((5, 5, 6), True, (5, 6, 5)),
        ((4, 84, 84), False, (4, 84, 84)),
    ],
)
def test_a_picture_is_read_with_its_channels_last(shape, channels_first, expected) -> None:
    leaf = leaf_of(bytes_of(*shape), channels_first=channels_first)
    assert (leaf.kind, leaf.shape) == ("picture", expected)
    value = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    read = leaf.read(value)
    assert read.shape == expected
    if expected == (84, 84, 12) and shape == (4, 84, 84, 3):
        assert np.array_equal(read[..., 3:6], value[1])
    if expected == (84, 84, 4):
        assert np.array_equal(read[..., 2], value[2])


def test_stacked_frames_with_the_channels_first_keep_their_order() -> None:
    value = np.random.default_rng(0).integers(256, size=(4, 3, 84, 84)).astype(np.uint8)
    read = leaf_of(bytes_of(4, 3, 84, 84)).read(value)
    assert np.array_equal(read[..., 5], value[1, 2])


@pytest.mark.parametrize(
    ("space", "scale", "low", "span"),
    [
        (bytes_of(5, 5, 3), "auto", 0, 255),
        (bytes_of(128), "auto", 0, 255),
        (spaces.Box(-3, 5, (2,), np.int64), "auto", -3, 8),
        (spaces.Box(0, 255, (9, 9, 3), np.float32), "auto", 0, 255),
        (spaces.Box(0, 1, (9, 9, 3), np.float32), "auto", 0, 1),
        (spaces.Box(-8, 8, (3,), np.float32), "auto", 0, 1),
        (spaces.Box(-8, 8, (3,), np.float32), "bounds", -8, 16),
        (spaces.Box(-np.inf, 8, (3,), np.float32), "bounds", 0, 1),
        (spaces.Box(-(2**62), 2**62, (3,), np.int64), "auto", 0, 1),
        (bytes_of(5, 5, 3), "none", 0, 1),
    ],
)
def test_the_bounds_decide_what_is_scaled(space, scale, low, span) -> None:
    leaf = leaf_of(space, scale=scale)
    assert (leaf.low, leaf.span) == (low, span)
    assert ("scaled to 0 to 1" in str(leaf)) == (span != 1)


def test_categories_are_counted_from_their_smallest() -> None:
    assert leaf_of(spaces.Discrete(3, start=-1)).read(1).tolist() == [2]
    space = spaces.MultiDiscrete(np.array([[2, 3], [4, 5]]), start=np.array([[1, 1], [0, 7]]))
    leaf = leaf_of(space)
    assert leaf.sizes == (2, 3, 4, 5)
    assert leaf.read(np.array([[2, 1], [3, 11]])).tolist() == [1, 0, 3, 4]


def test_categories_of_a_grid_are_planes() -> None:
    for reading in ({"grid_categories": True}, {"scale": "categories"}):
        leaf = leaf_of(bytes_of(7, 7, 3), **reading)
        assert leaf.kind == "planes" and leaf.sizes == (256,) * 3
    assert leaf_of(bytes_of(7, 7, 4), grid_categories=True).kind == "picture"
    assert leaf_of(spaces.Box(2, 4, (3,), np.int8), scale="categories").sizes == (3, 3, 3)


def test_a_text_is_its_words_and_pairs_of_words() -> None:
    one, other = word_numbers("Go to the red ball"), word_numbers("go to, the RED ball!")
    assert np.array_equal(one, other) and (one > 0).sum() == 5 + 4 and len(one) == MAX_WORDS
    turned = word_numbers("red ball to the go")
    assert set(one[:5]) == set(turned[:5]) and set(one) != set(turned)
    assert (word_numbers("a " * 500) > 0).all()


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (spaces.Sequence(spaces.Discrete(2)), "observation space Sequence"),
        (
            spaces.Dict(
                a=spaces.Discrete(2), b=spaces.Tuple([spaces.Graph(spaces.Box(0, 1), None)])
            ),
            r"leaf b\[0\], Graph",
        ),
    ],
)
def test_a_leaf_that_is_not_supported_is_named(space, name) -> None:
    with pytest.raises(ValueError, match=rf"{name}.* is not supported: expected Box, Discrete"):
        list(Reading().leaves(space))


def test_a_box_without_numbers_is_named() -> None:
    space = spaces.Dict(a=spaces.Discrete(2), b=spaces.Box(0, 1, (3, 0)))
    with pytest.raises(ValueError, match=r"leaf b, Box.* has no numbers"):
        list(Reading().leaves(space))


NESTED = spaces.Dict(
    picture=bytes_of(5, 5, 3),
    inside=spaces.Tuple([spaces.Discrete(4, start=2), spaces.Box(-1, 1, (3,), np.float64)]),
    bits=spaces.MultiBinary((2, 2)),
    text=spaces.Text(12),
)


def test_every_leaf_comes_back_from_the_bytes() -> None:
    packed = PackedObservation(list(Reading().leaves(NESTED)), num_masked=3)
    NESTED.seed(0)
    value = NESTED.sample()
    data = packed.pack(value, np.array([True, False, True]))
    assert packed.contains(data)
    found = {
        leaf.path: data[start:stop].view(leaf.dtype).reshape(leaf.shape)
        for leaf, start, stop in packed.slots
    }
    assert all(slot.start % 8 == 0 for slot in packed.slots)
    assert np.array_equal(found["bits"], value["bits"].ravel())
    assert found["inside[0]"].tolist() == [value["inside"][0] - 2]
    assert np.array_equal(found["inside[1]"], value["inside"][1].astype(np.float32))
    assert np.array_equal(found["picture"], value["picture"])
    assert np.array_equal(found["text"], word_numbers(value["text"]))
    assert packed.mask_slot is not None
    assert data[packed.mask_slot.start : packed.mask_slot.stop].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (bytes_of(5, 5, 3), True),
        (spaces.Box(-1, 1, (3,), np.float64), True),
        (spaces.Discrete(3, start=2), True),
        (bytes_of(84, 84), False),
        (bytes_of(3, 64, 64), False),
        (bytes_of(9), False),
        (spaces.MultiBinary(3), False),
        (spaces.Dict(x=spaces.Discrete(2)), False),
    ],
)
def test_only_what_a_network_reads_as_it_is_stays_unpacked(space, expected) -> None:
    assert is_read_as_it_is(space, list(Reading().leaves(space))) is expected


def test_a_space_of_strings_is_a_text() -> None:
    class Mission(gymnasium.Space):
        def __init__(self) -> None:
            super().__init__(dtype=str)

    assert leaf_of(Mission()).kind == "words"
