"""Random streams that belong to an actor, not to the group it acts in."""

import numpy as np
import pytest

from agents.impala.config import ImpalaConfig
from agents.impala.streams import ActionStreams, actor_seeds


def test_an_actor_has_the_same_seeds_in_any_group() -> None:
    together = actor_seeds(3, range(8))
    assert np.array_equal(together[2:5], actor_seeds(3, range(2, 5)))


def test_no_two_seeds_are_equal() -> None:
    seeds = [
        actor_seeds(seed, range(100), start, attempt)
        for seed in (0, 1, 2)
        for start in (0, 1, 1000)
        for attempt in (0, 1)
    ]
    assert len(np.unique(np.concatenate(seeds))) == 18 * 100 * 2


def test_an_actor_draws_the_same_numbers_in_any_group() -> None:
    seeds = actor_seeds(0, range(6))[:, 1]
    together, apart = ActionStreams(seeds, 3), ActionStreams(seeds[4:], 3)
    for _ in range(3):
        assert np.array_equal(together.next()[4:], apart.next())


def test_the_numbers_are_uniform_and_independent() -> None:
    streams = ActionStreams(actor_seeds(0, range(50))[:, 1], 2)
    numbers = np.stack([streams.next() for _ in range(400)])
    assert numbers.dtype == np.float32 and numbers.min() >= 0 and numbers.max() <= 1
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    assert np.abs(counts - 4000).max() < 300  # five deviations
    flat = numbers.reshape(400, -1)
    correlations = np.corrcoef(flat.T) - np.eye(100)
    assert np.abs(correlations).max() < 0.3  # six deviations
    assert abs(np.corrcoef(flat[:-1].ravel(), flat[1:].ravel())[0, 1]) < 0.03


def test_a_stream_goes_on_from_its_counters() -> None:
    streams = ActionStreams(actor_seeds(0, range(3))[:, 1], 2)
    streams.next()
    other = ActionStreams(actor_seeds(9, range(3))[:, 1], 2)
    other.streams[:] = streams.streams
    assert np.array_equal(streams.next(), other.next())


def test_a_seed_of_more_than_64_bits_is_refused_by_its_option() -> None:
    assert ImpalaConfig(seed=2**64 - 1).seed == 2**64 - 1
    with pytest.raises(ValueError, match=r"seed=\d+: must be below 2\*\*64"):
        ImpalaConfig(seed=2**64)
