"""The contract of every task, and the rules of each."""

import pytest
import torch

from memory import CORES
from memory.core import state_leaves
from memory.supervised import TASKS, Batch
from memory.supervised.reader import ReaderConfig, build_reader
from memory.supervised.task import random_source
from memory.supervised.tasks.nth_farthest import nth_farthest
from tests.memory.supervised.tasks.small_data import write_data

SMALL = {
    "associative_recall": {"keys": 5, "values": 4, "pairs": 3},
    "babi": {},
    "delayed_recall": {"symbols": 5, "length": 3, "delay": 4},
    "image_association": {"images": "drawn"},
    "language_model": {"unroll": 9, "embedding": 8, "lanes": 60},
    "learning_to_execute": {"programs": "program", "length": 3, "nesting": 2},
    "logic": {"lengths": (2, 4), "steps": 20},
    "nlvr": {"given": "things"},
    "nth_farthest": {"vectors": 4, "dimensions": 3},
    "pos_tagging": {"width": 8},
    "sentences": {"sentences": 300},
}


@pytest.fixture(params=TASKS)
def make(request, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(write_data(tmp_path / "data")))
    return TASKS[request.param](**SMALL[request.param]).build


@pytest.fixture
def task(make):
    return make(seed=3)


def assert_equal(one: Batch, other: Batch) -> None:
    assert same(one.inputs, other.inputs)
    for a, b in zip(one[1:], other[1:], strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


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
    sizes = (12, 60, 2230, 3200, 12_800)
    assert sum(batch.targets.shape[1] for batch in task.held_out("test")) in sizes


def test_batches_fit_the_encoder_and_the_classes(task):
    batch, encoder = task.batch(0, 6), task.encoder()
    steps = len(batch.targets)
    assert encoder(batch.inputs).shape == (steps, 6, *encoder.output_shape)
    assert batch.targets.shape == batch.loss_mask.shape == (steps, 6)
    assert batch.loss_mask.any(dim=0).all()
    answers = batch.targets[batch.loss_mask]
    assert answers.min() >= 0 and answers.max() < task.num_classes
    most = task.num_classes if task.lower_is_better else 1
    assert all(0 < plateau <= most for plateau in task.baselines().values())


def test_streams_of_the_splits_share_no_number():
    draws = {
        tuple(random_source(*key).generate_state(4))
        for key in (
            *((1, split, 0) for split in ("train", "test", "validation")),
            *((1, "train", 1), (0, "train", 1)),
        )
    }
    assert len(draws) == 5


@pytest.mark.parametrize(("vectors", "dimensions"), [(5, 3), (3, 2)])
def test_nth_farthest_by_brute_force(vectors, dimensions):
    task = TASKS["nth_farthest"](vectors=5, dimensions=3, curriculum="naive").build(seed=1)
    task.set_state({"level": [vectors, dimensions], "best": 0.0, "stalled": 0})
    batch = task.batch(0, 40)
    assert len(batch.inputs) == vectors
    for b in range(40):
        rows = batch.inputs[:, b]
        points, labels = rows[:, :3], rows[:, 3:8].argmax(1)
        n, m = rows[0, 8:13].argmax(), rows[0, 13:].argmax()
        assert (rows[:, 8:] == rows[0, 8:]).all() and (points[:, dimensions:] == 0).all()
        assert points.abs().max() <= 1 and sorted(labels.tolist()) == list(range(vectors))
        reference = points[labels.tolist().index(int(m))]
        far = sorted(range(vectors), key=lambda i: -(points[i] - reference).norm().item())
        assert batch.targets[-1, b] == labels[far[n]]
    assert batch.loss_mask[-1].all() and not batch.loss_mask[:-1].any()


def test_nth_farthest_is_judged_at_its_full_size_whatever_the_level():
    plain = TASKS["nth_farthest"](vectors=4, dimensions=2).build(seed=2)
    graded = TASKS["nth_farthest"](vectors=4, dimensions=2, curriculum="combined").build(seed=2)
    full = list(plain.held_out("validation"))
    *some, last = graded.held_out("validation")
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(full, some, strict=False))
    assert len(last.inputs) == 1 and last.groups is not None
    assert all(len(batch.inputs) == 4 for batch in graded.held_out("test"))
    assert graded.notice({"level_accuracy": 0.8}) and graded.curriculum.level == (2, 1)


def test_nth_farthest_by_hand():
    points = torch.tensor([[[0.0], [1.0], [-0.5]]])
    labels = torch.tensor([[2, 0, 1]])
    answers = [
        nth_farthest(points, labels, torch.tensor([n]), torch.tensor([2])).item() for n in range(3)
    ]
    assert answers == [0, 1, 2]  # from the vector at 0, of label 2: at 1, at -0.5, itself


def test_answering_yourself_is_right_as_often_as_the_plateau_says():
    """Where n asks for the last, the answer is m; elsewhere one of the others."""
    task = TASKS["nth_farthest"](vectors=4, dimensions=2).build(seed=2)
    batch = task.batch(0, 20_000)
    n, m = (batch.inputs[0, :, at : at + 4].argmax(1) for at in (6, 10))
    answers, last = batch.targets[-1], n == 3
    assert (answers[last] == m[last]).all() and (answers[~last] != m[~last]).all()
    assert task.baselines()["answer yourself"] == 0.5
    assert last.float().mean() + (~last).float().mean() / 3 == pytest.approx(0.5, abs=0.01)


def test_delayed_recall_shows_waits_and_asks():
    batch = TASKS["delayed_recall"](symbols=5, length=3, delay=4).build(seed=1).batch(0, 50)
    symbols = batch.inputs.argmax(-1)
    assert batch.inputs.sum(-1).eq(1).all()
    assert symbols[:3].max() < 5
    assert symbols[3:].t().unique(dim=0).tolist() == [[5, 5, 5, 5, 6, 5, 5]]
    assert torch.equal(batch.targets[-3:], symbols[:3])
    assert batch.loss_mask.t().unique(dim=0).int().tolist() == [[0] * 7 + [1] * 3]
    assert set(symbols[:3].flatten().tolist()) == set(range(5))


def test_naming_any_value_shown_is_right_as_often_as_the_plateau_says():
    task = TASKS["associative_recall"](keys=5, values=4, pairs=3).build(seed=1)
    batch = task.batch(0, 20_000)
    first = batch.inputs[0, :, 5:9].argmax(-1)
    right = batch.targets[3:].eq(first).float().mean().item()
    assert task.baselines()["any shown"] == 0.5 == pytest.approx(right, abs=0.01)


def test_associative_recall_asks_for_every_key_that_was_shown():
    batch = TASKS["associative_recall"](keys=5, values=4, pairs=3).build(seed=1).batch(0, 50)
    orders = set()
    for b in range(50):
        keys = batch.inputs[:, b, :5].argmax(1).tolist()
        values = batch.inputs[:3, b, 5:9].argmax(1).tolist()
        shown = dict(zip(keys[:3], values, strict=True))
        assert len(shown) == 3 and set(keys[3:]) == set(shown)
        assert batch.targets[3:, b].tolist() == [shown[key] for key in keys[3:]]
        orders.add(tuple(keys[:3].index(key) for key in keys[3:]))
    assert len(orders) > 3
    assert batch.inputs[3:, :, 5:9].eq(0).all() and batch.inputs[3:, :, 9].eq(1).all()
    assert batch.inputs[:3, :, 9].eq(0).all()
    assert batch.loss_mask[3:].all() and not batch.loss_mask[:3].any()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nth_farthest", {"vectors": 0}, "vectors=0: must be at least 1"),
        ("delayed_recall", {"delay": -1}, "delay=-1: must be 0 or more"),
        ("delayed_recall", {"length": 0}, "length=0: must be at least 1"),
        ("associative_recall", {"keys": 3}, "pairs=4: must be at most keys=3"),
    ],
)
def test_bad_options_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        TASKS[name](**options).build(seed=1)


def test_no_episode_is_longer_than_the_task_says(task):
    if task.longest_episode is None:
        pytest.skip("the task says nothing of it")
    for split in ("validation", *task.tests):
        for batch in task.held_out(split):
            assert len(batch.targets) <= task.longest_episode, split


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("learning_to_execute", {"programs": "program", "length": 3, "nesting": 2}),
        ("sentences", {"sentences": 300}),
        ("nlvr", {"given": "things"}),
        ("image_association", {"images": "drawn", "test_delays": (3, 9)}),
    ],
)
def test_a_core_that_would_forget_the_beginning_is_refused(name, options, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(write_data(tmp_path / "data")))
    task = TASKS[name](**options).build(seed=3)
    longest = task.longest_episode
    build_reader(task, CORES["relation_network"](buffer=longest), ReaderConfig())
    with pytest.raises(ValueError, match=f"make it at least {longest}"):
        build_reader(task, CORES["relation_network"](buffer=longest - 1), ReaderConfig())


def test_the_longest_delay_counts_wherever_it_is_tested():
    config = TASKS["image_association"](images="drawn", delay=1, test_delays=(2, 9))
    assert config.build(1).longest_episode == 3 * 10 + 1
