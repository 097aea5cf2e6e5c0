"""Sentence memorisation: the text, its sequences, what is held out, and what counts as recall."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from memory.supervised.data.data_folder import MissingData
from memory.supervised.data.text_file import MalformedData
from memory.supervised.head import Answered
from memory.supervised.tasks.sentences import (
    EMPTY,
    END,
    SEPARATOR,
    SPECIAL,
    START,
    Recall,
    SentencesConfig,
    cleaned,
    english_of,
    held_out_of,
    lay_out,
)
from tests.memory.supervised.tasks.sentence_files import write_pairs
from tests.present import present


@pytest.fixture
def folder(tmp_path):
    return write_pairs(tmp_path / "tatoeba_eng_spa")


def spelt(task, text):
    return "".join(task.alphabet[number - SPECIAL] for number in text)


def test_a_sequence_by_hand():
    a, b, c = SPECIAL + 20, SPECIAL + 21, SPECIAL + 22
    digits = [SPECIAL, SPECIAL + 1, SPECIAL + 2]
    batch = lay_out([np.array([a, b, c]), np.array([b])])
    assert batch.inputs[:, 0].tolist() == [START, a, b, c, SEPARATOR, *[EMPTY] * 4]
    assert batch.targets[:, 0].tolist() == [START, *digits, SEPARATOR, a, b, c, END]
    assert batch.inputs[4:, 1].tolist() == [START, b, SEPARATOR, EMPTY, EMPTY]
    assert batch.targets[4:, 1].tolist() == [START, SPECIAL, SEPARATOR, b, END]
    assert batch.loss_mask.int().sum(0).tolist() == [9, 5] and not batch.loss_mask[:4, 1].any()
    assert present(batch.reset).nonzero().tolist() == [[0, 0], [4, 1]]


def test_the_counter_goes_round_after_nine():
    batch = lay_out([np.full(13, SPECIAL + 30)])
    assert batch.targets[1:14, 0].tolist() == [SPECIAL + i % 10 for i in range(13)]


def test_texts_are_cleaned_and_equal_ones_count_once():
    lines = ["Tom &amp; I"] * 9 + ["a§b", "a b", "  ab ", "", "7 up"]
    lines += [f"{'ab'[: 1 + i % 2]}&{i}Tom I" for i in range(20)]
    texts = cleaned(lines, Path("x.txt"))
    assert {"a b", "7", "Tom & I"} <= set(texts) and "" not in texts
    assert texts == sorted(texts, key=lambda text: (len(text), text))
    assert len(texts) == len(set(texts)) and not any("§" in text or "u" in text for text in texts)


def test_a_character_counts_by_different_lines():
    """A sentence with many translations is one sentence."""
    lines = ["q"] * 20 + [f"e{i}" for i in range(9)]
    assert cleaned(lines, Path("x.txt")) == [f"e{i}" for i in range(9)]


def test_a_letter_has_one_spelling() -> None:
    lines = [f"{letter}{i}" for letter in ("\u00e9", "e\u0301", "e&#x301;") for i in range(9)]
    assert cleaned(lines, Path("x.txt")) == [f"\u00e9{i}" for i in range(9)]


def test_an_entity_of_many_digits_is_refused_with_its_line() -> None:
    with pytest.raises(MalformedData, match=r"x\.txt, line 2: "):
        cleaned(["good", f"&#{'9' * 5000};"], Path("x.txt"))


def test_the_shortest_are_learnt_and_others_of_the_same_lengths_are_held_out(folder):
    task = SentencesConfig(data=folder, sentences=300).build(1)
    texts = {split: {spelt(task, text) for text in task.texts[split]} for split in task.texts}
    assert {split: len(found) for split, found in texts.items()} == {
        "train": 300,
        "validation": 60,
        "test": 60,
    }
    together = set.union(*texts.values())
    assert len(together) == 420
    others = set(cleaned(english_of(folder / "spa.txt"), folder)) - together
    assert max(map(len, together)) <= min(map(len, others))
    lengths = [np.mean([len(text) for text in found]) for found in texts.values()]
    assert max(lengths) - min(lengths) < 1
    other = SentencesConfig(data=folder, sentences=300).build(2)
    assert {spelt(other, text) for text in other.texts["test"]} != texts["test"]


def test_held_out_sets_are_a_fifth_and_not_more_than_a_thousand():
    assert [held_out_of(count) for count in (1, 500, 50_000)] == [1, 100, 1000]


def test_training_learns_each_sentence_and_the_test_of_that_name_asks_for_them(folder):
    task = SentencesConfig(data=folder, sentences=300).build(1)
    due = [spelt(task, text) for text in task.texts["train"]]
    for batches in (task.held_out("train"), [task.batch(i, 30) for i in range(50)]):
        found = [
            spelt(
                task, batch.targets[:, b][batch.loss_mask[:, b] & batch.inputs[:, b].eq(EMPTY)][:-1]
            )
            for batch in batches
            for b in range(batch.loss_mask.shape[1])
        ]
        assert sorted(set(found)) == sorted(due) and len(found) in (300, 1500)


def test_recall_leaves_the_counter_out():
    a, b = SPECIAL + 20, SPECIAL + 21
    task_batch = lay_out([np.array([a, b]), np.array([a])])
    guesses = task_batch.targets.clone()
    guesses[1:3] = 0  # of the first, the counter is wrong; of the second, start and counter
    guesses[-1, 1] = 0  # of the second, the end is wrong
    recall = Recall()
    recall.add(task_batch, Answered(torch.zeros(12), guesses[task_batch.loss_mask]))
    assert recall.results() == {"recall": 4 / 5, "recalled": 1 / 2}


def test_the_plateau_is_the_most_frequent_symbol_of_the_test(folder):
    task = SentencesConfig(data=folder, sentences=300).build(1)
    due = torch.cat([b.targets[b.loss_mask & b.inputs.eq(EMPTY)] for b in task.held_out("test")])
    share = due.bincount().max().item() / len(due)
    assert task.baselines() == {"most frequent symbol": pytest.approx(share)}


def test_any_file_of_lines_is_a_text_and_is_named(tmp_path, folder):
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(english_of(folder / "spa.txt")))
    task = SentencesConfig(file=file, sentences=300).build(1)
    usual = SentencesConfig(data=folder, sentences=300).build(1)
    assert task.batch(0, 9).inputs.equal(usual.batch(0, 9).inputs)
    assert "(lines.txt)" in task.remarks()[0] and "Tatoeba" in usual.remarks()[0]
    assert task.identity() == usual.identity()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Go.\tVe.\nGo.\n", r"spa.txt, line 2: no two columns parted by a tab: 'Go\.'"),
        ("Go.\tVe.\n\tVe.\n", r"line 2: no two columns"),
        ("Go.\tVe.\nGo.\tV", "ends within line 2: it was cut short"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(folder, text, words):
    (folder / "spa.txt").write_text(text)
    with pytest.raises(MalformedData, match=words):
        SentencesConfig(data=folder).build(1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sentences": 0}, "sentences=0: must be at least 1"),
        ({"sentences": 600}, "sentences=600: needs 840 different ones, 120 of them .* has 768"),
        ({"file": Path("x.txt")}, "file=x.txt and data=.*: name one of them"),
    ],
)
def test_bad_options_are_refused(folder, options, words):
    with pytest.raises(ValueError, match=words):
        SentencesConfig(data=folder, **options).build(1)


def test_missing_data_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=r"tatoeba_eng_spa: no spa\.txt in"):
        SentencesConfig().build(1)
    with pytest.raises(MalformedData, match=r"nowhere\.txt cannot be read"):
        SentencesConfig(file=tmp_path / "nowhere.txt").build(1)


def test_the_published_file_is_read():
    data = os.environ.get("ENGRAM_DATA")
    if not data or not (Path(data) / "tatoeba_eng_spa").is_dir():
        pytest.skip("ENGRAM_DATA names no folder with tatoeba_eng_spa")
    lines = english_of(Path(data) / "tatoeba_eng_spa" / "spa.txt")
    assert (len(lines), len(set(lines))) == (118_121, 102_323)
