"""Part-of-speech tagging: the files, the words, the order of training, the baseline."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from memory.supervised.data.data_folder import MissingData
from memory.supervised.data.text_file import MalformedData
from memory.supervised.tasks.epochs import POOL, Epochs, FlushRight
from memory.supervised.tasks.pos_tagging.conllu import Word, read_sentences
from memory.supervised.tasks.pos_tagging.pos_tagging import FILES, UNKNOWN, PosTaggingConfig
from tests.memory.supervised.tasks.pos_tagging.ud_files import write_ud
from tests.present import present


def line(number, form="dog", upos="NOUN", xpos="NN"):
    return "\t".join([str(number), form, "_", upos, xpos, *"_____"]) + "\n"


GOOD = (
    "# sent_id = 1\n"
    + line("1-2", "dont", "_", "_")
    + line(1, "do", "AUX", "VBP")
    + line(2, "n't", "PART", "RB")
    + line("2.1", "go", "VERB", "VB")
    + line(3, "#", "PUNCT", ".")
    + "\n"
    + line(1, "New York", "PROPN", "NNP")
    + "\n"
)


@pytest.fixture
def folder(tmp_path):
    return write_ud(tmp_path / "ud_english_ewt")


def file_of(tmp_path, text):
    file = tmp_path / "x.conllu"
    file.write_text(text)
    return file


def test_words_are_read_and_what_is_no_word_is_skipped(tmp_path):
    first, second = read_sentences(file_of(tmp_path, GOOD), "xpos")
    assert first == [Word("do", "VBP"), Word("n't", "RB"), Word("#", ".")]
    assert second == [Word("New York", "NNP")]
    first, second = read_sentences(file_of(tmp_path, GOOD), "upos")
    assert first == [Word("do", "AUX"), Word("n't", "PART"), Word("#", "PUNCT")]
    assert second == [Word("New York", "PROPN")]


def test_the_column_that_is_not_learnt_may_be_empty(tmp_path: Path) -> None:
    """Most treebanks have one of them only."""
    without_xpos = file_of(tmp_path, line(1, "dogs", "NOUN", "_") + "\n")
    assert read_sentences(without_xpos, "upos") == [[Word("dogs", "NOUN")]]
    with pytest.raises(MalformedData, match=r"line 1: a word without a tag .*--task.tags upos"):
        read_sentences(without_xpos, "xpos")
    without_upos = file_of(tmp_path, line(1, "dogs", "_", "NNS") + "\n")
    assert read_sentences(without_upos, "xpos") == [[Word("dogs", "NNS")]]
    with pytest.raises(MalformedData, match="line 1: '_' is no universal tag"):
        read_sentences(without_upos, "upos")


def test_a_form_has_one_spelling(tmp_path: Path) -> None:
    file = file_of(tmp_path, line(1, "cafe\u0301", "NOUN", "NN") + "\n")
    assert read_sentences(file, "xpos") == [[Word("café", "NN")]]


def test_a_sentence_too_long_to_unroll_is_refused(tmp_path: Path) -> None:
    file = file_of(tmp_path, "".join(line(1 + i) for i in range(2001)) + "\n")
    with pytest.raises(MalformedData, match="line 2001: a sentence of more than 2,000 words"):
        read_sentences(file, "xpos")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD[:-1], "ends within line 9: it was cut short"),
        (GOOD[:-9], "ends within line 8: it was cut short"),
        (line(1).replace("\t_\n", "\n") + "\n", "line 1: 9 columns in place of 10"),
        (line(1) + line(3) + "\n", "line 2: word 3 where word 2 is due"),
        (line("one") + "\n", "line 1: word one where word 1 is due"),
        (line(1, form="") + "\n", "line 1: the form '' is empty"),
        (line(1, form="dog ") + "\n", "line 1: the form 'dog ' .* blank around it"),
        (line(1, xpos="NN ") + "\n", "line 1: the tag 'NN ' has a blank"),
        (line(1, upos="NN") + "\n", "line 1: 'NN' is no universal tag"),
        (line(1, xpos="_") + "\n", "line 1: a word without a tag in column 5"),
        (line(1) + "\n\n", "line 3: ends a sentence of no words"),
        ("", "has no sentence"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path, text, words):
    file = file_of(tmp_path, text)
    with pytest.raises(MalformedData, match=words) as refused:
        read_sentences(file, "xpos")
    assert str(file) in str(refused.value)


def test_a_file_that_is_no_text_is_refused_with_its_line(tmp_path):
    file = tmp_path / "x.conllu"
    file.write_bytes(b"# one\n# \xff\n")
    with pytest.raises(MalformedData, match=r"x\.conllu, line 2: not utf-8"):
        read_sentences(file, "xpos")


def test_a_tag_that_training_lacks_is_refused(folder):
    with (folder / FILES["test"]).open("a") as file:
        file.write(line(1, "wow", "INTJ", "UH") + "\n")
    with pytest.raises(MalformedData, match=r"test.conllu: 'wow' has the tag 'UH', which no word"):
        PosTaggingConfig(data=folder).build(1)


def test_sentences_stand_flush_right_open_an_episode_and_have_a_tag_at_each_word(folder):
    task = PosTaggingConfig(data=folder).build(1)
    words = {number: word for word, number in task.words.items()}
    tags = list(task.tags)
    read = Counter()
    for batch in task.held_out("test"):
        for b in range(batch.loss_mask.shape[1]):
            inside = batch.loss_mask[:, b]
            start = int(inside.int().argmax())
            assert inside[start:].all()
            assert present(batch.reset)[:, b].nonzero().tolist() == [[start]]
            assert batch.inputs[:start, b].eq(0).all() and batch.inputs[start:, b].gt(0).all()
            shown = [words.get(i) for i in batch.inputs[start:, b, 0].tolist()]
            read[tuple(zip(shown, (tags[i] for i in batch.targets[start:, b]), strict=True))] += 1
    expected = Counter(
        tuple((w.form if w.form in task.words else None, w.tag) for w in sentence)
        for sentence in read_sentences(folder / FILES["test"], "xpos")
    )
    assert read == expected


def test_the_tags_are_those_asked_for(folder):
    assert set(PosTaggingConfig(data=folder).build(1).tags) == {"DT", "NN", "VBP", "NNP", "."}
    task = PosTaggingConfig(data=folder, tags="upos").build(1)
    assert set(task.tags) == {"DET", "NOUN", "VERB", "PROPN", "PUNCT"}


def test_words_of_training_that_occur_once_are_unknown_half_of_the_time(folder):
    task = PosTaggingConfig(data=folder).build(1)
    rare = {task.words[word] for word, count in task.counts.items() if count == 1}
    examples = task.examples["train"]
    five_epochs = [task.batch(number, 20) for number in range(50)]
    numbers = torch.cat([batch.inputs[..., 0][batch.loss_mask] for batch in five_epochs])
    found = Counter(numbers.tolist())
    assert 0.4 * 5 * len(rare) < found[UNKNOWN] < 0.6 * 5 * len(rare) and len(rare) > 15
    whole = Counter(examples.inputs[:, 0].tolist())
    assert all(found[n] == 5 * count for n, count in whole.items() if n not in rare)
    again = task.batch(3, 20).inputs[..., 0]
    assert again.equal(five_epochs[3].inputs[..., 0])


def test_endings_and_shapes_are_shared_between_words(folder):
    with (folder / FILES["train"]).open("a") as file:
        for number, form in enumerate(("walkING", "talking", "talk1ng", "IBM", "e-mail"), start=1):
            file.write(line(number, form))
        file.write("\n")
    task = PosTaggingConfig(data=folder).build(1)
    talking, walking, talk1ng, ibm, email = task.examples["train"].inputs[-5:].tolist()
    assert talking[1] == walking[1] != talk1ng[1] and talking[2] != walking[2]
    assert len({talking[2], walking[2], talk1ng[2], ibm[2], email[2]}) == 5


def test_each_word_is_given_its_most_frequent_tag_by_hand(folder):
    text = line(1, "run", "VERB", "VB") + line(2, "run") + line(3, "run") + line(4) + "\n"
    (folder / FILES["train"]).write_text(text)
    for split, asked in (
        ("validation", line(1, "run", "VERB", "VB") + line(2, "run")),
        ("test", line(1, "new", "VERB", "VB") + line(2, "odd") + line(3, "run") + line(4, "x")),
    ):
        (folder / FILES[split]).write_text(asked + "\n")
    baselines = PosTaggingConfig(data=folder).build(1).baselines()
    assert baselines == {
        "most frequent tag, validation": 0.5,
        "most frequent tag, test": 0.75,
    }


def test_the_vocabulary_is_the_identity(folder):
    one = PosTaggingConfig(data=folder).build(1).identity()
    assert PosTaggingConfig(data=folder).build(2).identity() == one
    with (folder / FILES["train"]).open("a") as file:
        file.write(line(1, "watchdog") + "\n")  # of an ending and a tag that are there
    assert PosTaggingConfig(data=folder).build(1).identity() != one


def test_vectors_of_a_file_are_read_in_place_of_trained_ones(folder, tmp_path):
    file = tmp_path / "glove.txt"
    file.write_text("dog 1 2\nnowhere 3 4\n. . . 5 6\nthe 0.5 -1e-1\n")
    task = PosTaggingConfig(data=folder, glove=file).build(1)
    encoder = task.encoder()
    assert not list(encoder.parameters()) and encoder.output_shape == (2,)
    assert set(task.words) == {"dog", "the"}
    numbers = torch.tensor([[[task.words["the"], 1, 1], [task.words["dog"], 1, 1], [1, 1, 1]]])
    torch.testing.assert_close(encoder(numbers)[0], torch.tensor([[0.5, -0.1], [1, 2], [0, 0]]))
    assert "have a vector in glove.txt" in task.remarks()[0]
    assert "paper read GloVe" in PosTaggingConfig(data=folder).build(1).remarks()[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dog 1 2\nthe 3\n", "line 2: not a word and 2 numbers"),
        ("dog 1 two\n", "line 1: could not convert"),
        ("nowhere 1 2\n", "has a vector of no word of the data"),
    ],
)
def test_a_malformed_file_of_vectors_is_refused(folder, tmp_path, text, words):
    (tmp_path / "glove.txt").write_text(text)
    with pytest.raises(MalformedData, match=words):
        PosTaggingConfig(data=folder, glove=tmp_path / "glove.txt").build(1)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"tags": "penn"}, "tags='penn'"), ({"width": 0}, "width=0: must be at least 1")],
)
def test_bad_options_are_refused(folder, options, words):
    config = PosTaggingConfig(data=folder)
    for name, value in options.items():
        object.__setattr__(config, name, value)
    with pytest.raises(ValueError, match=words):
        config.build(1)


def test_missing_data_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=r"ud_english_ewt: no en_ewt-ud-train\.conllu in"):
        PosTaggingConfig().build(1)


def test_every_example_comes_once_an_epoch_and_those_of_a_batch_are_of_one_length():
    lengths = np.random.default_rng(1).integers(1, 100, size=10 * POOL)
    epochs = Epochs(lengths, seed=1)
    batches = [epochs.batch(number, 10) for number in range(2 * POOL)]
    for epoch in (batches[:POOL], batches[POOL:]):
        assert sorted(np.concatenate(epoch)) == list(range(10 * POOL))
        assert max(np.ptp(lengths[chosen]) for chosen in epoch) < 10
        firsts = [lengths[chosen[0]] for chosen in epoch]
        assert firsts != sorted(firsts)
    assert not np.array_equal(batches[0], batches[POOL])
    again = Epochs(lengths, seed=1)
    assert np.array_equal(again.batch(70, 10), batches[70])
    assert not np.array_equal(Epochs(lengths, seed=2).batch(0, 10), batches[0])


def test_rows_end_together_by_hand():
    flush = FlushRight(np.array([2, 3, 1]))
    placed = flush.place(np.array([1, 2, 3, 4, 5, 6]), padding=9)
    assert placed.tolist() == [[9, 3, 9], [1, 4, 9], [2, 5, 6]]
    assert flush.resets.int().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert flush.is_inside.equal(placed != 9)


def test_the_published_files_are_read():
    data = os.environ.get("ENGRAM_DATA")
    if not data or not (Path(data) / "ud_english_ewt").is_dir():
        pytest.skip("ENGRAM_DATA names no folder with ud_english_ewt")
    task = PosTaggingConfig(data=Path(data)).build(1)
    sizes = {s: (len(e.lengths), len(e.tags)) for s, e in task.examples.items()}
    assert sizes == {
        "train": (12_544, 204_577),
        "validation": (2001, 25_147),
        "test": (2077, 25_094),
    }
    assert task.num_classes == 49
