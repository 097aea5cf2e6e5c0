"""The contract of every task of the registry."""

from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from memory import CORES
from memory.core import state_leaves
from memory.supervised import Batch
from memory.supervised.reader import ReaderConfig, build_reader
from memory.supervised.task import random_source
from tests.memory.supervised.tasks.small_configs import SMALL_TASKS
from tests.memory.supervised.tasks.small_data import write_data


@pytest.fixture(params=SMALL_TASKS)
def make(request, tmp_path, monkeypatch):
    config = SMALL_TASKS[request.param]
    monkeypatch.setenv("ENGRAM_DATA", str(write_data(tmp_path / "data", config)))
    return config.build


@pytest.fixture
def task(make):
    return make(seed=3)


def assert_equal(one: Batch, other: Batch) -> None:
    assert same(one.inputs, other.inputs)
    for a, b in zip(one[1:], other[1:], strict=True):
        assert same(a, b)


def same(inputs, others) -> bool:
    leaves = zip(state_leaves(inputs), state_leaves(others), strict=True)
    return all(torch.equal(a, b) for a, b in leaves)


def test_a_batch_depends_on_its_number_and_the_seed_alone(make):
    task = make(seed=3)
    first, second = task.batch(0, 6), task.batch(1, 6)
    assert_equal(task.batch(0, 6), first)
    assert_equal(make(seed=3).batch(1, 6), second)
    for other in (second, make(seed=4).batch(0, 6)):
        assert not same(first.inputs, other.inputs)


def test_the_test_is_the_same_every_time_and_not_what_training_saw(task):
    tests = [next(iter(task.held_out("test"))) for _ in range(2)]
    assert_equal(*tests)
    validation = next(iter(task.held_out("validation")))
    for other in (validation, task.batch(0, tests[0].targets.shape[1])):
        assert not same(tests[0].inputs, other.inputs)


def test_batches_fit_the_encoder_and_the_classes(task):
    batch, encoder = task.batch(0, 6), task.encoder()
    steps = len(batch.targets)
    assert encoder(batch.inputs).shape == (steps, 6, *encoder.output_shape)
    assert batch.targets.shape == batch.loss_mask.shape == (steps, 6)
    assert batch.loss_mask.any(dim=0).all()
    answers = batch.targets[batch.loss_mask]
    assert answers.min() >= 0 and answers.max() < task.num_classes
    most = task.num_classes if task.lower_is_better else 1
    baselines = task.baselines()
    assert all(0 < plateau <= most for plateau in baselines.values())
    assert task.floor is None or task.floor in baselines


def test_streams_of_the_splits_share_no_number():
    draws = {
        tuple(random_source(*key).generate_state(4))
        for key in (
            *((1, split, 0) for split in ("train", "test", "validation")),
            *((1, "train", 1), (0, "train", 1)),
        )
    }
    assert len(draws) == 5


def test_no_episode_is_longer_than_the_task_says(task):
    if task.longest_episode is None:
        pytest.skip("the task does not limit its episodes")
    for split in ("validation", *task.tests):
        for batch in task.held_out(split):
            assert len(batch.targets) <= task.longest_episode, split


@pytest.mark.parametrize("core", [name for name in CORES if hasattr(CORES[name](), "buffer")])
def test_a_core_that_would_forget_the_beginning_is_refused(core, task):
    longest = task.longest_episode
    if longest is None:
        pytest.skip("the task does not limit its episodes")
    config: Any = CORES[core]()
    build_reader(task, replace(config, buffer=longest), ReaderConfig())
    with pytest.raises(ValueError, match=f"make it at least {longest}"):
        build_reader(task, replace(config, buffer=longest - 1), ReaderConfig())


@pytest.mark.parametrize("name", SMALL_TASKS)
def test_idle_options_are_options(name):
    config: Any = SMALL_TASKS[name]
    assert config.idle().keys() <= {field.name for field in fields(config)}
