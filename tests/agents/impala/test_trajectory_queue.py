"""The queue: exact batches, oldest first; nothing too old."""

from dataclasses import replace

import pytest
import torch

from agents.impala.config import ImpalaConfig
from agents.impala.trajectory import Trajectory, from_leaves, join, take
from agents.impala.trajectory_queue import TrajectoryQueue, max_queued
from memory import LSTMState, state_leaves
from tests.agents.impala.blocks import block


def actors_of(batch: Trajectory) -> list[int]:
    """The actors in a batch, if every leaf agrees on them."""
    numbers = batch.inputs.last_actions[0]
    for leaf in (
        batch.inputs.observations[2, :, 0],
        batch.logits[1, :, 0],
        batch.decisions[0, :, 0],
    ):
        assert torch.equal(leaf, numbers.float())
    assert torch.equal(batch.state.hidden[:, 0], numbers.float())
    assert torch.equal(batch.state.cell[:, 0], -numbers.float())
    assert batch.terminated.shape == (2, len(numbers)) and batch.version.shape == (len(numbers),)
    return numbers.tolist()


def test_batches_are_exact_whatever_the_blocks() -> None:
    queue = TrajectoryQueue()
    for actors in (range(0, 5), range(5, 6), range(6, 10)):
        queue.put(block(actors))
    assert len(queue) == 10
    assert actors_of(queue.take(4)) == [0, 1, 2, 3]
    assert len(queue) == 6 and [actors_of(b) for b in queue.blocks()] == [[4], [5], [6, 7, 8, 9]]
    assert actors_of(queue.take(3)) == [4, 5, 6]
    assert actors_of(queue.take(3)) == [7, 8, 9] and len(queue) == 0


def test_what_is_too_old_is_dropped_and_counted() -> None:
    queue = TrajectoryQueue()
    for first, version in ((0, 3), (2, 5), (4, 4)):
        queue.put(block(range(first, first + 2), version))
    queue.drop_older(4)
    assert queue.dropped == 2 and len(queue) == 4
    queue.drop_older(5)
    assert queue.dropped == 4 and actors_of(queue.take(2)) == [2, 3]


def test_an_old_block_is_dropped_from_behind_a_newer_one() -> None:
    queue = TrajectoryQueue()
    queue.put(block(range(0, 2), version=7))
    queue.put(block(range(2, 4), version=1))
    queue.drop_older(5)
    assert queue.dropped == 2 and actors_of(queue.take(2)) == [0, 1]


def test_joining_what_was_taken_apart_changes_nothing() -> None:
    one = block(range(6))
    parts = [take(one, 0, 1), take(one, 1, 3), take(one, 4, 2)]
    for a, b in zip(state_leaves(one), state_leaves(join(parts)), strict=True):
        assert torch.equal(a, b)


def test_leaves_give_the_trajectory_back() -> None:
    one = block(range(3))
    again = from_leaves(state_leaves(one), LSTMState(torch.empty(0), torch.empty(0)))
    assert type(again.state) is LSTMState and actors_of(again) == [0, 1, 2]
    assert len(state_leaves(again)) == len(state_leaves(one))


@pytest.mark.parametrize(("actors", "processes"), [(100, 1), (100, 3), (7, 7), (5, 2)])
def test_a_worker_can_start_again_as_soon_as_it_has_delivered(actors, processes) -> None:
    config = ImpalaConfig(actors=actors)
    group = -(-actors // processes)
    waiting, of_others = config.batch - 1 + group, actors - group
    assert waiting + of_others + group <= max_queued(config, processes)


def test_the_limit_keeps_trajectories_within_the_lag_but_has_room_for_all_actors() -> None:
    config = ImpalaConfig(actors=1000, batch=100, max_lag=13)
    assert max_queued(config, 1) == 1300
    assert max_queued(config, 10) == 1200
    assert max_queued(replace(config, max_lag=11), 1) == 1200
