"""bAbI: the files, the stories, and what becomes of them."""

import os
from collections import Counter
from pathlib import Path

import pytest
import torch

from memory.supervised.babi import BabiConfig, SentenceEncoder, vocabulary_of
from memory.supervised.babi_stories import MalformedData, Question, read_stories, words_of
from memory.supervised.data_folder import MissingData
from tests.memory.supervised.babi_files import write_babi

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
        (words_of("mary went to the garden"), words_of("john took the milk there")),
        ("where", "is", "mary"),
        "garden",
    )
    assert len(second.facts) == 3 and second.answer == "apple,milk"
    assert third.facts == (("it", "is", "late"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (STORY[:-3], "ends within line 7: it was cut short"),
        ("1 Mary went.\n3 Where?\ta\t1\n", "line 2: not a sentence or question: '3 Where?"),
        ("1 Mary went.\nWhere?\ta\t1\n", "line 2: not a sentence or question"),
        ("1 Where is Mary?\tgarden\n", "line 1: not a sentence or question"),
        ("1 Mary went.\n", "has no question"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path, text, words):
    file = file_of(tmp_path, text)
    with pytest.raises(MalformedData, match=words) as refused:
        read_stories(file)
    assert str(file) in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "qa1.txt"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MalformedData, match="cannot be read"):
        read_stories(file)


def test_stories_stand_flush_right_and_open_an_episode(folder):
    task = BabiConfig(data=folder, facts=3).build(1)
    words = {number: word for word, number in task.vocabulary.words.items()}
    answers = list(task.vocabulary.answers)
    batch = next(iter(task.held_out("test")))
    questions = task.questions["test"]
    assert len(batch.inputs) == 4 and batch.scored.nonzero()[:, 0].unique().tolist() == [3]
    for b, question in enumerate(questions):
        read = [tuple(words[i] for i in row if i) for row in batch.inputs[:, b].tolist()]
        told = question.facts[-3:]
        empty = [()] * (3 - len(told))
        assert read == [*empty, *told, question.words]
        assert batch.reset[:, b].nonzero().tolist() == [[3 - len(told)]]
        assert answers[batch.targets[-1, b]] == question.answer
    assert {len(q.facts) for q in questions} == {2, 4, 6}


def test_every_training_question_comes_once_an_epoch(folder):
    task = BabiConfig(data=folder).build(1)
    count = len(task.questions["train"])
    assert count == 54 and len(task.questions["validation"]) == 6
    seen = [Counter(_signatures(task, epoch, count)) for epoch in range(2)]
    assert seen[0] == seen[1]
    assert _signatures(task, 0, count) != _signatures(task, 1, count)
    again = BabiConfig(data=folder).build(1)
    assert torch.equal(again.batch(7, 10).targets, task.batch(7, 10).targets)


def _signatures(task, epoch, count):
    batches = [task.batch(epoch * count // 6 + i, 6) for i in range(count // 6)]
    return [
        tuple(batch.inputs[:, b][batch.inputs[:, b] > 0].tolist())
        for batch in batches
        for b in range(6)
    ]


def test_the_seed_draws_the_validation(folder):
    one, other = (BabiConfig(data=folder).build(seed) for seed in (1, 2))
    assert one.questions["validation"] != other.questions["validation"]
    assert one.questions["test"] == other.questions["test"]


def test_words_and_answers_are_numbered_without_regard_to_order():
    questions = [Question((("b", "a"),), ("c",), "yes"), Question((), ("a",), "no")]
    vocabulary = vocabulary_of(questions)
    assert vocabulary.words == {"a": 1, "b": 2, "c": 3}
    assert vocabulary.answers == {"no": 0, "yes": 1} == vocabulary_of(questions[::-1]).answers


def test_a_sentence_is_the_masked_sum_of_its_words():
    encoder = SentenceEncoder(words=5, longest=3, width=4)
    with torch.no_grad():
        encoder.masks.copy_(torch.randn(2, 3, 4))
    words = torch.tensor([[[1, 2, 0]], [[0, 0, 0]], [[3, 3, 1]]])
    told, nothing, asked = encoder(words)
    e, (facts, questions) = encoder.embed.weight, encoder.masks
    torch.testing.assert_close(told[0], e[1] * facts[0] + e[2] * facts[1])
    assert nothing.eq(0).all()
    torch.testing.assert_close(
        asked[0], e[3] * questions[0] + e[3] * questions[1] + e[1] * questions[2]
    )


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
    with pytest.raises(MissingData, match=r"no en-10k in .*there/babi.*Get it from https.*ENGRAM"):
        BabiConfig().build(1)
    with pytest.raises(MissingData, match=r"no en-10k in .*here/babi, .*here\. Get"):
        BabiConfig(data=tmp_path / "here").build(1)


def test_data_are_found_by_the_variable_too(folder, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(folder.parent))
    assert BabiConfig(size="1k").build(1).num_classes == 4


def test_the_published_files_are_read():
    data = Path(os.environ.get("ENGRAM_DATA", Path(__file__).parents[3] / "../shared/data"))
    if not (data / "babi").is_dir():
        pytest.skip(f"no bAbI files in {data}")
    task = BabiConfig(tasks=(1, 8, 19), data=data).build(1)
    sizes = {split: len(questions) for split, questions in task.questions.items()}
    assert sizes == {"train": 27_000, "validation": 3000, "test": 3000}
    assert {"apple,milk", "n,w", "garden"} <= set(task.vocabulary.answers)
