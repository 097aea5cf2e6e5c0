"""Batches made ahead: in order, afresh where the task changed, and failures where they belong."""

import time

import pytest
import torch

from memory.supervised.batch import Batch
from memory.supervised.prefetcher import AHEAD, Prefetcher
from memory.supervised.task import Task


class Numbers(Task):
    """Makes batches of three numbers, and notes which, and how many at a time."""

    def __init__(self, seconds=0.0, fails_at=None):
        self.made, self.seconds, self.fails_at, self.version = [], seconds, fails_at, 0
        self.at_work = self.most_at_work = 0

    def batch(self, number, size):
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        time.sleep(self.seconds)
        self.made.append(number)
        self.at_work -= 1
        if number == self.fails_at:
            raise ArithmeticError(f"no batch {number}")
        inputs = torch.tensor([[self.version, number, size]])
        return Batch(inputs, inputs, inputs >= 0)

    def held_out(self, split):
        raise NotImplementedError

    def encoder(self):
        raise NotImplementedError


def taken(prefetcher, number):
    """Version, number and size of a batch."""
    return tuple(prefetcher.take(number).inputs[0].tolist())


def test_batches_come_in_order_and_some_are_made_ahead():
    task = Numbers()
    prefetcher = Prefetcher(task, 7)
    assert [taken(prefetcher, n) for n in range(5)] == [(0, n, 7) for n in range(5)]
    prefetcher.forget()
    assert task.made == list(range(len(task.made))) and len(task.made) <= 5 + AHEAD


def test_the_next_batches_are_begun_without_being_asked_for():
    task = Numbers()
    prefetcher = Prefetcher(task, 1)
    prefetcher.take(0)
    deadline = time.monotonic() + 5
    while len(task.made) < 1 + AHEAD and time.monotonic() < deadline:
        time.sleep(0.001)
    assert task.made == [0, 1, 2]


def test_a_supply_begins_anywhere_and_may_be_sent_elsewhere():
    prefetcher = Prefetcher(Numbers(), 1)
    assert [taken(prefetcher, n)[1] for n in (5, 6, 2, 3)] == [5, 6, 2, 3]


def test_what_was_made_ahead_is_forgotten_when_the_task_has_changed():
    task = Numbers()
    prefetcher = Prefetcher(task, 1)
    assert taken(prefetcher, 0) == (0, 0, 1)
    task.version = 1
    prefetcher.forget()
    assert taken(prefetcher, 1) == (1, 1, 1)


def test_a_task_is_used_by_one_thread_at_a_time():
    task = Numbers(seconds=0.005)
    prefetcher = Prefetcher(task, 1)
    for number in range(6):
        prefetcher.take(number)
        prefetcher.forget()
        assert task.at_work == 0
        task.batch(-1, 1)
    assert task.most_at_work == 1


def test_a_task_that_raises_is_heard_when_its_batch_is_due():
    task = Numbers(fails_at=2)
    prefetcher = Prefetcher(task, 1)
    assert [taken(prefetcher, n)[1] for n in (0, 1)] == [0, 1]
    with pytest.raises(ArithmeticError, match="no batch 2"):
        prefetcher.take(2)
    task.fails_at = None
    assert taken(prefetcher, 2) == (0, 2, 1)


def test_a_failure_that_is_forgotten_is_not_heard():
    task = Numbers(fails_at=1)
    prefetcher = Prefetcher(task, 1)
    prefetcher.take(0)
    prefetcher.forget()
    task.fails_at = None
    assert taken(prefetcher, 1) == (0, 1, 1)


def test_waiting_is_counted_where_batches_are_slow_and_not_where_they_are_ready():
    slow = Prefetcher(Numbers(seconds=0.05), 1)
    for number in range(3):
        slow.take(number)
    assert slow.seconds_waited > 0.12
    ready = Prefetcher(Numbers(), 1)
    ready.take(0)
    waited = ready.seconds_waited
    for number in range(1, 4):
        ready._made[-1][1].result()
        ready.take(number)
    assert ready.seconds_waited - waited < 0.05
