"""The random streams: the published generator, one for each game."""

import numpy as np
from numba import njit

from envs import random

ALL = np.ones(4, np.bool_)


@njit
def draw_many(streams, i, count):
    out = np.empty(count, np.uint64)
    for k in range(count):
        out[k] = random.draw(streams, i)
    return out


@njit
def count_below(streams, n, count):
    counts = np.zeros(n, np.int64)
    for _ in range(count):
        counts[random.below(streams, 0, n)] += 1
    return counts


@njit
def mean_uniform(streams, count):
    total, low, high = 0.0, 1.0, 0.0
    for _ in range(count):
        value = random.uniform(streams, 0)
        total, low, high = total + value, min(low, value), max(high, value)
    return total / count, low, high


def test_draws_are_those_of_the_published_generator():
    first = draw_many(np.zeros(1, np.uint64), 0, 3)
    assert [hex(x) for x in first.tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_a_draw_moves_no_other_stream():
    streams = np.arange(4, dtype=np.uint64)
    draw_many(streams, 2, 5)
    assert streams[[0, 1, 3]].tolist() == [0, 1, 3]
    assert streams[2] != 2


def test_a_start_touches_the_masked_streams_only():
    streams = np.zeros(4, np.uint64)
    random.start(streams, np.arange(4, dtype=np.uint64), np.array([True, False, True, False]))
    assert (streams != 0).tolist() == [True, False, True, False]


def test_neighbouring_seeds_give_unrelated_streams():
    streams = np.zeros(4, np.uint64)
    random.start(streams, np.arange(4, dtype=np.uint64), ALL)
    drawn = np.concatenate([draw_many(streams, i, 1000) for i in range(4)])
    assert len(set(drawn.tolist())) == 4000


def test_integers_below_n_are_uniform():
    counts = count_below(np.zeros(1, np.uint64), 7, 70_000)
    assert np.abs(counts - 10_000).max() < 4 * 93  # four standard deviations


def test_uniform_doubles_fill_the_unit_interval():
    mean, low, high = mean_uniform(np.zeros(1, np.uint64), 100_000)
    assert abs(mean - 0.5) < 0.004
    assert 0 <= low < 0.001
    assert 0.999 < high < 1
