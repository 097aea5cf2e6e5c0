"""Learning to Execute as a task: splits, curricula, what is fed, and what is never seen."""

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch

from memory import GRUConfig, state_leaves
from memory.supervised import ReaderConfig, Trainer, TrainingConfig, build_reader
from memory.supervised.reader import Reader
from memory.supervised.tasks.learning_to_execute.learning_to_execute import (
    HELD_OUT,
    REWRITES,
    LearningToExecuteConfig,
)
from memory.supervised.tasks.learning_to_execute.written import DUE, Program, lay_out, spell
from memory.supervised.tasks.learning_to_execute.zaremba_programs import share_of
from tests.memory.small_cores import SMALL_CORES
from tests.memory.supervised.reading import read_back
from tests.present import present


def texts_of(batch) -> list[Program]:
    return [read_back(batch, b) for b in range(batch.targets.shape[1])]


@pytest.mark.parametrize("programs", REWRITES)
def test_memory_tasks_ask_for_the_number_again(programs):
    batch = LearningToExecuteConfig(programs=programs, length=4).build(1).batch(0, 60)
    for text, answer in texts_of(batch):
        expected = {"copy": text, "reverse": text[::-1], "double": text + text}[programs]
        assert answer == expected and text[0] != "0"
    assert {len(text) for text, _ in texts_of(batch)} == {1, 2, 3, 4}


def test_numbers_to_remember_may_be_longer_than_a_number_of_64_bits_and_have_all_digits():
    batch = LearningToExecuteConfig(programs="copy", length=40, curriculum="largest")
    texts = [text for text, _ in texts_of(batch.build(1).batch(0, 300))]
    assert {len(text) for text in texts} == {40}
    firsts, others = Counter(t[0] for t in texts), Counter("".join(t[1:] for t in texts))
    assert set(firsts) == set("123456789") and set(others) == set("0123456789")
    assert all(abs(count - 1170) < 170 for count in others.values())


def test_training_mixes_and_the_test_has_the_largest_only():
    task = LearningToExecuteConfig(programs="add", length=3, nesting=2).build(1)
    trained = [text for text, _ in texts_of(task.batch(0, 400))]
    kinds = Counter((text.count("+"), len(re.findall(r"\d+", text)[0])) for text in trained)
    assert set(kinds) == {(n, length) for n in (1, 2) for length in (1, 2, 3)}
    assert all(40 < count < 100 for count in kinds.values())
    tested = next(iter(task.held_out("test")))
    assert {re.sub(r"\d+", "9", text) for text, _ in texts_of(tested)} == {"(9+9)+9"}
    largest = LearningToExecuteConfig(length=3, curriculum="largest").build(1).batch(0, 50)
    assert {len(text) for text, _ in texts_of(largest)} == {13}


@pytest.mark.parametrize("split", HELD_OUT)
def test_a_held_out_set_has_its_size_and_no_level_where_training_has_none(split):
    task = LearningToExecuteConfig(programs="copy", length=2).build(1)
    batches = list(task.held_out(split))
    assert sum(batch.targets.shape[1] for batch in batches) == HELD_OUT[split]
    assert all(batch.groups is None for batch in batches)


def test_programs_of_the_first_generator_are_drawn_with_length_and_nesting_and_kept_apart():
    config = LearningToExecuteConfig(programs="zaremba", length=4, nesting=2)
    task = config.build(1)
    trained = texts_of(task.batch(0, 200))
    tested = texts_of(next(iter(task.held_out("test"))))
    assert {share_of(program) for program in trained} == {"train"}
    assert {share_of(program) for program in tested} == {"test"}
    assert all(answer.endswith(".") for _, answer in trained)
    assert any(answer.startswith("-") for _, answer in trained)
    assert task.num_classes == 12 and len(set(trained)) > 150
    numbers = Counter(len(n) for text, _ in tested for n in re.findall(r"\d+", text))
    assert numbers[4] > 4 * numbers[3]


def test_a_level_is_validated_beside_the_largest_and_rises_with_its_accuracy():
    config = LearningToExecuteConfig(programs="add", length=3, nesting=2, curriculum="naive")
    task = config.build(1)
    assert {len(text) for text, _ in texts_of(task.batch(0, 50))} == {3}
    groups = [batch.groups for batch in task.held_out("validation")]
    of_level = [batch for batch in task.held_out("validation") if batch.groups is not None]
    assert len(groups) == 20 and len(of_level) == 10
    assert {len(text) for text, _ in texts_of(of_level[0])} == {3}
    assert all(batch.groups is None for batch in task.held_out("test"))
    reader = build_reader(task, GRUConfig(hidden=8), ReaderConfig())
    trainer = Trainer(reader, task, TrainingConfig(batch=8))
    validation = trainer.evaluate("validation")
    assert validation["level_length"] == validation["level_nesting"] == 1
    assert "level_accuracy" not in trainer.evaluate("test")
    trainer.update()
    trainer.notice(validation | {"level_accuracy": 0.99}, is_best=True)
    assert {len(text) for text, _ in texts_of(trainer.prefetcher.take(1))} == {5}
    resumed = config.build(1)
    resumed.set_state(task.get_state())
    assert texts_of(resumed.batch(3, 20)) == texts_of(task.batch(3, 20))


def test_the_likeliest_character_of_each_place_is_right_as_often_as_the_plateau_says():
    task = LearningToExecuteConfig(programs="add", length=2, nesting=1).build(1)
    answers = [a for batch in task.held_out("validation") for _, a in texts_of(batch)]
    right = sum(
        max(Counter(a[place] for a in answers if len(a) > place).values()) for place in range(3)
    )
    plateau = task.baselines()["likeliest at each place"]
    assert plateau == pytest.approx(right / sum(map(len, answers))) and plateau > 0.2


@pytest.mark.parametrize("name", SMALL_CORES)
def test_every_core_tells_programs_apart_when_the_answer_is_due(name):
    torch.manual_seed(1)
    task = LearningToExecuteConfig(length=2).build(1)
    core: Any = SMALL_CORES[name]
    if hasattr(core, "buffer"):
        core = replace(core, buffer=task.longest_episode)
    reader = build_reader(task, core, ReaderConfig())
    if not any(leaf.numel() for leaf in state_leaves(reader.core.initial_state(1))):
        pytest.skip("a core without a state sees the last character only")
    batch = lay_out(spell([Program("12+34", "46"), Program("98-71", "27")]))
    answers, _ = reader(batch.inputs, batch.loss_mask, reset=batch.reset)
    assert (answers[0] - answers[1]).abs().max() > 1e-6


def trainer_of(decoder, length=2) -> Trainer:
    torch.manual_seed(1)
    task = LearningToExecuteConfig(programs="copy", length=length, decoder=decoder).build(1)
    reader = build_reader(task, GRUConfig(hidden=32), ReaderConfig())
    return Trainer(reader, task, TrainingConfig(batch=32, learning_rate=1e-2))


@pytest.mark.parametrize("decoder", ["nothing", "targets", "guesses"])
def test_numbers_are_copied_after_seconds_whatever_is_fed(decoder):
    trainer = trainer_of(decoder)
    for _ in range(250):
        trainer.update()
    assert trainer.evaluate("validation")["accuracy"] > 0.97


@pytest.mark.parametrize("decoder", ["nothing", "targets", "guesses"])
def test_a_reader_that_is_judged_sees_no_character_of_the_answer(decoder, monkeypatch):
    """Whatever stands in their place changes nothing of what it writes."""
    trainer = trainer_of(decoder, length=4)
    task, before = trainer.task, trainer.evaluate("validation")
    real, scrambled = task.held_out, []

    def with_other_answers(split):
        for batch in real(split):
            due = batch.inputs.eq(DUE).int().cummax(dim=0).values.bool()
            due[1:] &= due[:-1].clone()  # all but the first
            due[0] = False
            mask = batch.feedback_mask
            if mask is None:
                assert batch.inputs[due].eq(DUE).all()
            else:
                scrambled.append(int(mask.sum()))
                batch = batch._replace(inputs=torch.where(mask, 9, batch.inputs))
                assert not batch.inputs[due & ~mask].ne(DUE).any()
            yield batch

    monkeypatch.setattr(task, "held_out", with_other_answers)
    assert trainer.evaluate("validation") == before
    assert sum(scrambled) == (0 if decoder == "nothing" else 3200 * 3)


@pytest.mark.parametrize(("decoder", "own"), [("targets", False), ("guesses", True)])
def test_training_feeds_what_the_decoder_says(decoder, own, monkeypatch):
    trainer = trainer_of(decoder, length=4)
    batch = trainer.task.batch(0, 32)
    losses = {o: trainer.reader.answer(batch, own=o)[0].losses.mean().item() for o in (False, True)}
    assert abs(losses[False] - losses[True]) > 1e-5
    assert trainer.update()["loss"] == pytest.approx(losses[own], abs=1e-6)


def test_guesses_are_fed_where_right_characters_would_stand(monkeypatch):
    trainer = trainer_of("guesses", length=3)
    batch = trainer.task.batch(0, 4)
    seen, real = [], Reader.read

    def read(self, inputs, *rest):
        seen.append(inputs)
        return real(self, inputs, *rest)

    monkeypatch.setattr(Reader, "read", read)
    answered, _ = trainer.reader.answer(batch, own=True)
    written = torch.full(batch.loss_mask.shape, -1)
    written[batch.loss_mask] = answered.guesses
    fed, mask = torch.cat(seen), present(batch.feedback_mask)
    assert fed[mask].equal(written[:-1][mask[1:]])
    assert fed[~mask].equal(batch.inputs[~mask])
    assert not fed[mask].equal(batch.inputs[mask])


def test_answers_of_one_character_feed_nothing_and_are_judged_all_the_same():
    trainer = trainer_of("guesses", length=1)
    assert not present(trainer.task.batch(0, 5).feedback_mask).any()
    assert trainer.evaluate("validation")["accuracy"] >= 0


def test_a_core_that_decides_cannot_be_fed_its_guesses_in_training():
    task = LearningToExecuteConfig(programs="copy", decoder="guesses").build(1)
    reader = build_reader(task, SMALL_CORES["memory_net, reinforce"], ReaderConfig())
    with pytest.raises(ValueError, match="it cannot be fed its own answers in training"):
        Trainer(reader, task, TrainingConfig())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 19}, "length=19: must be at most 18 in programs"),
        ({"programs": "zaremba", "nesting": 11}, "nesting=11: must be at most 10, the variables"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LearningToExecuteConfig(**options).build(1)


def test_the_longest_literals_there_are_can_be_computed_with():
    LearningToExecuteConfig(length=18, programs="program").build(1).batch(0, 20)
