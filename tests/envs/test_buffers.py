"""Arrays are handed out again only when nobody can see it."""

import pickle

import numpy as np
import pytest
import torch

from envs.buffers import KEPT, Buffers


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_an_array_that_was_let_go_is_handed_out_again():
    buffers = Buffers((2, 3))
    first = buffers.take()
    place = address(first)
    del first
    assert address(buffers.take()) == place


@pytest.mark.parametrize(
    "hold",
    [
        lambda array: array,
        lambda array: array[0],
        lambda array: array.reshape(-1)[2:][1:],
        lambda array: array.view(np.int8).T,
        lambda array: {"observation": [array]},
        memoryview,
        torch.from_numpy,
        lambda array: torch.as_tensor(array)[0],
        lambda array: np.asarray(memoryview(array)),
        lambda array: np.frombuffer(array, np.uint8),
    ],
)
def test_an_array_that_is_held_in_any_way_is_not_handed_out(hold):
    buffers = Buffers((2, 3))
    array = buffers.take()
    place, held = address(array), hold(array)
    del array
    others = [buffers.take() for _ in range(2 * KEPT)]
    assert place not in [address(other) for other in others]
    assert len({address(other) for other in others}) == len(others)
    del held


def test_who_keeps_many_arrays_and_lets_them_go_is_served_from_them_again():
    buffers = Buffers((2, 3))
    many = [buffers.take() for _ in range(3 * KEPT)]
    places = {address(array) for array in many}
    del many
    assert address(buffers.take()) in places


def test_a_blank_array_is_zero_but_for_the_rows_that_its_caller_writes():
    buffers = Buffers((4, 3))
    for rows in ([0, 2], [1], [0, 3]):
        array = buffers.take_blank(np.array(rows))
        array[rows] = 7
        assert np.flatnonzero(array.any(axis=1)).tolist() == rows
        del array


def test_a_copy_takes_no_arrays_along():
    buffers = Buffers((2, 3))
    kept = buffers.take()
    copy = pickle.loads(pickle.dumps(buffers))
    assert copy.take().shape == (2, 3)
    assert len(pickle.dumps(buffers)) == len(pickle.dumps(Buffers((2, 3))))
    assert kept.shape == (2, 3)
