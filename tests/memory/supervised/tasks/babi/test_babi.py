"""bAbI: the files, the stories, and what becomes of them."""

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from memory.supervised.data.data_folder import MissingData
from memory.supervised.data.text_file import MalformedData
from memory.supervised.head import Answered
from memory.supervised.tasks.babi.babi import BabiConfig, Errors
from memory.supervised.tasks.babi.questions import numbered, vocabulary_of
from memory.supervised.tasks.babi.stories import Question, read_stories, words_of
from tests.memory.supervised.tasks.babi.babi_files import write_babi
from tests.present import present

STORY = """1 Mary went to the garden.
2 John took the milk there.
3 Where is Mary? \tgarden\t1
4 Mary went to the office.
5 What does John carry?\tapple,milk\t2
1 It is late.
2 Is it late?\tyes\t1
"""


@pytest.fixture
def folder(tmp_path):
    return write_babi(tmp_path / "babi")


def file_of(tmp_path, text):
    file = tmp_path / "qa1_x_train.txt"
    file.write_text(text)
    return file


def test_the_context_of_a_question_is_what_was_told_before_it_in_its_story(tmp_path):
    first, second, third = read_stories(file_of(tmp_path, STORY))
    assert first == Question(
        first.story,
        2,
        ("where", "is", "mary"),
        "garden",
    )
    told = ["mary went to the garden", "john took the milk there"]
    assert first.facts(9) == [words_of(sentence) for sentence in told]
    assert first.facts(1) == [words_of(told[1])]
    assert len(second.facts(9)) == 3 and second.answer == "apple,milk"
    assert third.facts(9) == [("it", "is", "late")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (STORY[:-3], "ends within line 7: it was cut short"),
        ("1 Mary went.\n3 Where?\ta\t1\n", "line 2: not a sentence or question: '3 Where?"),
        ("1 Mary went.\nWhere?\ta\t1\n", "line 2: not a sentence or question"),
        ("1 Where is Mary?\tgarden\n", "line 1: not a sentence or question"),
        ("1 Mary went.\n", "has no question"),
        (f"{'9' * 5000} Mary went.\n", "line 1: not a sentence or question"),
        ("1 ?!\n", "line 1: 0 words, expected 1 to 2,000"),
        (f"1 Mary{' went' * 2000}.\n", "line 1: 2,001 words, expected 1 to 2,000"),
        ("1 Mary went.\n2 Where?\ta\t2\n", "line 2: no facts '2' before it"),
        (f"1 Mary went.\n2 Where?\ta\t1 {'1' * 5000}\n", "line 2: no facts"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path, text, words):
    file = file_of(tmp_path, text)
    with pytest.raises(MalformedData, match=words) as refused:
        read_stories(file)
    assert str(file) in str(refused.value)


def test_a_word_keeps_its_marks_and_has_one_spelling(tmp_path: Path) -> None:
    (question,) = read_stories(file_of(tmp_path, "1 Cafe\u0301 नमस्ते.\n2 Où?\tcafe\u0301\t1\n"))
    assert question == Question([("café", "नमस्ते")], 1, ("où",), "café")


def test_a_story_of_many_questions_takes_time_and_memory_in_proportion(tmp_path: Path) -> None:
    lines = [f"{2 * i + 1} Mary went to {i}.\n{2 * i + 2} Where?\t{i}\t1\n" for i in range(30_000)]
    started = time.monotonic()
    questions = read_stories(file_of(tmp_path, "".join(lines)))
    vocabulary = vocabulary_of(questions)
    assert time.monotonic() - started < 5  # with a copy of the story for each question: minutes
    assert len(vocabulary.sentences) == 30_001 and questions[-1].asked_after == 30_000
    with pytest.raises(ValueError, match="facts=90000: 450,015,000 sentences before 30,000 questi"):
        numbered({1: questions}, vocabulary, 90_000)
    assert len(numbered({1: questions}, vocabulary, 2).facts) == 2 * 30_000 - 1


def test_a_table_of_sentences_too_large_to_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory.supervised.tasks.babi.questions.MOST_PLACES", 5)
    questions = [Question([("b", "a", "c")], 1, ("c",), "yes")]
    with pytest.raises(MalformedData, match="2 different sentences, the longest of 3 words"):
        vocabulary_of(questions)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "qa1.txt"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MalformedData, match="line 1: not utf-8"):
        read_stories(file)


def told_and_asked(task, batch):
    """The sentences of each story and question of a batch, read back."""
    sentences = {number: words for words, number in task.vocabulary.sentences.items()}
    return [[sentences.get(n, ()) for n in column] for column in batch.inputs.t().tolist()]


def test_stories_stand_flush_right_and_open_an_episode(folder):
    task = BabiConfig(data=folder, facts=3).build(1)
    answers = list(task.vocabulary.answers)
    batch = next(iter(task.held_out("test")))
    questions = read_stories(folder / "en-10k" / "qa1_places_test.txt")
    assert len(batch.inputs) == 4 and batch.loss_mask.nonzero()[:, 0].unique().tolist() == [3]
    for b, (question, read) in enumerate(zip(questions, told_and_asked(task, batch), strict=True)):
        told = question.facts(3)
        empty = [()] * (3 - len(told))
        assert read == [*empty, *told, question.words]
        assert present(batch.reset)[:, b].nonzero().tolist() == [[3 - len(told)]]
        assert answers[batch.targets[-1, b]] == question.answer
    assert {q.asked_after for q in questions} == {2, 4, 6}


def test_a_question_without_facts_is_an_episode_of_its_own(tmp_path):
    lines = "1 Is it late?\tyes\t\n2 It is early.\n3 Is it early?\tyes\t2\n" * 10
    for part in ("train", "test"):
        (tmp_path / "en-10k").mkdir(exist_ok=True)
        (tmp_path / "en-10k" / f"qa1_x_{part}.txt").write_text(lines)
    task = BabiConfig(data=tmp_path).build(1)
    batch = task.questions["test"].lay_out(np.array([0, 1, 2]))
    late, early = ("is", "it", "late"), ("is", "it", "early")
    fact = ("it", "is", "early")
    assert told_and_asked(task, batch) == [[(), late], [fact, early], [(), late]]
    assert present(batch.reset).t().tolist() == [[False, True], [True, False], [False, True]]
    alone = task.questions["test"].lay_out(np.array([0]))
    assert alone.inputs.shape == (1, 1) and task.encoder()(alone.inputs).shape == (1, 1, 64)


def test_every_training_question_comes_once_an_epoch(folder):
    task = BabiConfig(data=folder).build(1)
    count = len(task.places["train"])
    assert count == 54 and len(task.places["validation"]) == 6
    seen = _signatures(task, 2 * count)
    first, second = seen[:count], seen[count:]
    assert Counter(first) == Counter(second) and first != second
    again = BabiConfig(data=folder).build(1)
    assert torch.equal(again.batch(7, 10).targets, task.batch(7, 10).targets)


def _signatures(task, questions):
    batches = [task.batch(number, 4) for number in range(questions // 4)]  # 54 is no multiple of 4
    return [
        tuple(sentence for sentence in story if sentence)
        for batch in batches
        for story in told_and_asked(task, batch)
    ]


def test_the_seed_draws_a_tenth_of_each_task_as_the_validation(folder):
    one, other = (BabiConfig(data=folder, tasks=(1, 2)).build(seed) for seed in (1, 2))
    drawn = [task.places["validation"].tolist() for task in (one, other)]
    assert drawn[0] != drawn[1]
    for places, task in zip(drawn, (one, other), strict=True):
        assert Counter(task.questions["validation"].task[places].tolist()) == {1: 6, 2: 6}
        assert sorted([*places, *task.places["train"].tolist()]) == list(range(120))


def test_words_sentences_and_answers_are_numbered_without_regard_to_order():
    questions = [Question([("b", "a")], 1, ("c",), "yes"), Question([], 0, ("a",), "no")]
    vocabulary = vocabulary_of(questions)
    assert vocabulary.words == {"a": 1, "b": 2, "c": 3}
    assert vocabulary.sentences == {("a",): 1, ("c",): 2, ("b", "a"): 3}
    assert vocabulary.table().tolist() == [[0, 0], [1, 0], [3, 0], [2, 1]]
    assert vocabulary.answers == {"no": 0, "yes": 1}
    assert vocabulary == vocabulary_of(questions[::-1])


def test_results_are_told_by_task(folder):
    task = BabiConfig(data=folder, tasks=(1, 2)).build(1)
    (errors,) = (measure for measure in task.measures() if isinstance(measure, Errors))
    (batch,) = task.held_out("test")
    guesses = batch.targets[-1].clone()
    for wrong in (0, 1, 2, 60):  # three of the first task, one of the second
        guesses[wrong] += 1
    errors.add(batch, Answered(torch.zeros(120), guesses))
    results = errors.results()
    expected = {"error_qa1": 5.0, "error_qa2": 100 / 60, "error": 10 / 3, "failed": 0}
    assert results == pytest.approx(expected)
    guesses[3] += 1
    errors.add(batch, Answered(torch.zeros(120), guesses))
    assert errors.results()["failed"] == 1


def test_the_plateau_is_the_most_frequent_answer_of_each_task(folder):
    task = BabiConfig(data=folder, tasks=(1, 2)).build(1)
    baselines = task.baselines()
    for number in (1, 2):
        questions = read_stories(folder / "en-10k" / f"qa{number}_places_test.txt")
        most = max(Counter(question.answer for question in questions).values())
        assert baselines[f"most frequent qa{number}"] == most / 60
    assert baselines["most frequent"] == pytest.approx(
        (baselines["most frequent qa1"] + baselines["most frequent qa2"]) / 2
    )
    assert set(BabiConfig(data=folder).build(1).baselines()) == {"most frequent"}


def test_the_answer_has_no_bias(folder):
    task = BabiConfig(data=folder).build(1)
    for readout in ((), (7,)):
        head = task.head(5, readout, task.encoder())
        assert head(torch.randn(3, 5)).shape == (3, 4)
        assert len([p for p in head.parameters() if p.dim() == 1]) == len(readout)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tasks": (0, 3)}, "tasks=0: must be from 1 to 20"),
        ({"tasks": ()}, "tasks=none: must be from 1 to 20"),
        ({"facts": 0}, "facts=0: must be at least 1"),
        ({"tasks": (3,)}, r"expected one file qa3_\*_train.txt, found 0"),
    ],
)
def test_bad_options_are_refused(folder, options, words):
    with pytest.raises(ValueError, match=words):
        BabiConfig(data=folder, **options).build(1)


def test_missing_data_are_named_with_where_and_how(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "there"))
    with pytest.raises(
        MissingData,
        match=r"no en-10k in .*there/babi.*download\.py babi.*ENGRAM.*--task.source generated",
    ):
        BabiConfig().build(1)
    with pytest.raises(MissingData, match=r"no en-10k in .*here/babi, .*here\. Get"):
        BabiConfig(data=tmp_path / "here").build(1)


def test_a_missing_file_is_replaced_by_generated_stories_only_where_asked_and_that_is_said(folder):
    (folder / "en" / "qa1_places_train.txt").unlink()
    options = {"data": folder, "size": "1k", "tasks": (1, 2)}
    with pytest.raises(MalformedData, match=r"qa1_\*_train.txt, found 0. --task.source completed"):
        BabiConfig(**options).build(1)
    task = BabiConfig(**options, source="completed").build(1)
    assert Counter(task.questions["train"].task.tolist()) == {1: 1000, 2: 60}
    assert Counter(task.questions["test"].task.tolist()) == {1: 60, 2: 60}
    generated, *shortfalls = task.remarks()
    assert "training stories of task 1 are of our own generator" in generated
    assert shortfalls == [
        "Task 1 has 60 questions to test, 1,000 as published.",
        "Task 2 has 60 questions to train, 1,000 as published.",
        "Task 2 has 60 questions to test, 1,000 as published.",
    ]
    (folder / "en" / "qa2_places_test.txt").unlink()
    with pytest.raises(MalformedData, match=r"qa2_\*_test.txt, found 0\.$"):
        BabiConfig(**options, source="completed").build(1)


def test_nothing_is_generated_where_nothing_is_missing(folder):
    published, completed = (
        BabiConfig(data=folder, source=source).build(1) for source in ("published", "completed")
    )
    assert published.remarks() == completed.remarks()
    assert not any("generator" in remark for remark in completed.remarks())
    assert torch.equal(published.batch(0, 9).inputs, completed.batch(0, 9).inputs)


def test_generated_stories_need_no_data_and_are_the_same_for_every_seed(monkeypatch, tmp_path):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    one, other = (
        BabiConfig(source="generated", size="1k", tasks=(1, 6)).build(seed) for seed in (1, 2)
    )
    (remark,) = one.remarks()
    assert "own generator" in remark
    sizes = {split: len(places) for split, places in one.places.items()}
    assert sizes == {"train": 1800, "validation": 200, "test": 2000}
    for split in ("train", "test"):
        assert all(map(np.array_equal, one.questions[split], other.questions[split]))
    assert not torch.equal(one.batch(0, 50).targets, other.batch(0, 50).targets)


def test_a_folder_beside_generated_stories_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--task.data .*: has no effect with generated stories"):
        BabiConfig(source="generated", data=tmp_path).build(1)


def test_data_are_found_by_the_variable_too(folder, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(folder.parent))
    assert BabiConfig(size="1k").build(1).num_classes == 4


def test_the_published_files_are_read():
    data = Path(os.environ.get("ENGRAM_DATA", ""))
    if not (data / "babi").is_dir():
        pytest.skip("ENGRAM_DATA names no folder with bAbI files")
    task = BabiConfig(tasks=(1, 8, 19), data=data).build(1)
    sizes = {split: len(places) for split, places in task.places.items()}
    assert sizes == {"train": 27_000, "validation": 3000, "test": 3000}
    assert {"apple,milk", "n,w", "garden"} <= set(task.vocabulary.answers)


def test_other_questions_of_the_same_words_are_other_data(folder):
    def identity() -> str:
        return BabiConfig(data=folder, size="1k", tasks=(1,)).build(1).identity()

    before = identity()
    assert identity() == before
    (file,) = (folder / "en").glob("qa1_*_train.txt")
    stories = file.read_text()
    file.write_text(stories + stories)
    assert identity() != before


def test_one_question_is_not_enough_to_learn_from(folder):
    (file,) = (folder / "en").glob("qa1_*_train.txt")
    lines = file.read_text().splitlines(keepends=True)
    asked = next(i for i, line in enumerate(lines) if "?" in line)
    file.write_text("".join(lines[: asked + 1]))
    with pytest.raises(ValueError, match=f"{file} has one question, expected two"):
        BabiConfig(data=folder, size="1k", tasks=(1,)).build(1)
