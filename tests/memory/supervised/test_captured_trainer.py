"""What a GPU replays in supervised training, as far as a CPU can tell."""

import contextlib
from typing import NamedTuple

import pytest
import torch

import memory.layers.captured
from memory.core import Core
from memory.layers.captured import CapturedByShape
from memory.supervised.reader import ReaderConfig, build_reader
from memory.supervised.tasks.language_model.language_model import LanguageModelConfig
from memory.supervised.tasks.nth_farthest import NthFarthestConfig
from memory.supervised.trainer import NotFinite, Trainer, TrainingConfig, Work
from tests.fake_gpu import ASKED, lose_numbers, without_numbers
from tests.memory.small_cores import SMALL_CORES
from tests.memory.supervised.tasks.language_model.corpus_texts import write_wikitext
from tests.memory.supervised.tasks.small_configs import SMALL_TASKS
from tests.memory.supervised.tasks.small_data import write_data
from tests.memory.supervised.tasks.small_tasks import Counting, Stream
from tests.present import present


class Pair(NamedTuple):
    given: torch.Tensor
    maybe: torch.Tensor | None


def small_task(name, folder, monkeypatch):
    config = SMALL_TASKS[name]
    monkeypatch.setenv("ENGRAM_DATA", str(write_data(folder, config)))
    return config.build(seed=3)


def trainer(task, core="lstm", graphs=False, batch=6, **training):
    torch.manual_seed(1)
    reader = build_reader(task, SMALL_CORES[core], ReaderConfig())
    return Trainer(reader, task, TrainingConfig(batch=batch, **training), graphs=graphs)


def combined():
    return NthFarthestConfig(vectors=4, dimensions=3, curriculum="mix").build(seed=3)


def with_dropout():
    return LanguageModelConfig(unroll=9, embedding=8, lanes=60, dropout=0.5).build(seed=3)


@pytest.mark.parametrize("core", ["lstm", "rmc", "dnc", "memory_net, frozen_bn"])
@pytest.mark.parametrize("make", [combined, Stream, Counting, with_dropout])
def test_captured_updates_are_those_of_a_trainer_that_is_not_bit_for_bit(
    core, make, tmp_path, monkeypatch
):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    write_wikitext(tmp_path / "wikitext-2")
    plain, captured = trainer(make(), core), trainer(make(), core, graphs=True)
    assert captured._captured is not None
    for _ in range(5):
        assert plain.update() == captured.update()
    ours, theirs = captured.reader.state_dict(), plain.reader.state_dict()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


def test_a_batch_that_is_not_finite_leaves_a_captured_trainer_as_it_was():
    one = trainer(combined(), graphs=True)
    one.update()
    before = {name: x.clone() for name, x in one.reader.state_dict().items()}
    batch = one.task.batch

    def broken(number, size):
        made = batch(number, size)
        return made._replace(inputs=made.inputs * float("nan"))

    one.prefetcher.forget()
    one.task.batch = broken
    with pytest.raises(NotFinite):
        one.update()
    one.prefetcher.forget()
    one.task.batch = batch
    assert all(torch.equal(x, before[name]) for name, x in one.reader.state_dict().items())
    assert one.update()["loss"] > 0


@pytest.mark.parametrize(
    ("core", "learns_from_own_answers"),
    [("memory_net, reinforce", False), ("memory_net, td_fixed", False), ("lstm", True)],
)
def test_what_samples_or_is_taught_or_feeds_itself_is_not_captured(core, learns_from_own_answers):
    task = Counting()
    task.learns_from_own_answers = learns_from_own_answers
    one = trainer(task, core, graphs=True)
    assert one._captured is None
    assert one.update()["loss"] > 0


def asks_no_number(one: Trainer, mode) -> None:
    """Find a gradient without numbers; where the reader says so, it must be asked for one."""
    work = without_numbers(Work(one.task.batch(0, 6).with_loss_indices(), None), mode)
    lose_numbers(one.reader, mode)
    asked = one.reader.branches_on_data
    with mode, pytest.raises(ASKED) if asked else contextlib.nullcontext():
        assert one._find_gradient(work).loss.shape == ()


@pytest.mark.parametrize("task", SMALL_TASKS)
def test_each_task_asks_a_gpu_for_no_number_or_says_so(task, gpu, tmp_path, monkeypatch):
    asks_no_number(trainer(small_task(task, tmp_path / "data", monkeypatch)), gpu)


@pytest.mark.parametrize("core", SMALL_CORES)
def test_each_core_asks_a_gpu_for_no_number_or_is_not_captured(core, gpu):
    one = trainer(combined(), core)
    learner = one.reader.core
    finds_wanted = type(learner).outputs_at is not Core.outputs_at
    learns_otherwise = hasattr(learner, "memory_loss") or hasattr(learner, "decide")
    assert one._can_be_captured != (finds_wanted or learns_otherwise)
    if one._can_be_captured:
        asks_no_number(one, gpu)


def test_gradients_stay_where_graphs_of_all_shapes_find_them():
    one = trainer(combined(), graphs=True)
    places = [weight.grad.data_ptr() for weight in one.weights]
    for _ in range(4):
        one.update()
        assert [weight.grad.data_ptr() for weight in one.weights] == places
    assert len(present(one._captured)._captured) > 1


def test_each_shape_has_a_graph_of_its_own_and_the_last_ones_have_none(monkeypatch):
    monkeypatch.setattr(memory.layers.captured, "MOST_SHAPES", 2)
    places = []

    def double(pair):
        places.append(pair.given.data_ptr())
        return Pair(2 * pair.given, pair.maybe)

    function = CapturedByShape(double, "cpu")
    inputs = [
        Pair(torch.ones(2), None),
        Pair(torch.ones(2), torch.ones(1)),
        Pair(torch.ones(3), None),
    ]
    for _ in range(2):
        for pair in inputs:
            found = function(pair)
            assert torch.equal(found.given, 2 * pair.given)
            assert (found.maybe is None) == (pair.maybe is None)
    assert len(set(places[:3])) == 3 and places[:3] == places[3:]
    given = [pair.given.data_ptr() for pair in inputs]
    assert [place in given for place in places[:3]] == [False, False, True]


def test_a_precision_of_gpus_is_refused_on_a_cpu():
    with pytest.raises(ValueError, match="precision=tf32: cpu has no instructions for it"):
        trainer(combined(), precision="tf32")
