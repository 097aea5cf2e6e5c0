"""Corpora: where their text lies, what is refused, and the numbers of their words."""

import os
from pathlib import Path

import numpy as np
import pytest

from memory.supervised.data.data_folder import MissingData
from memory.supervised.data.text_file import MalformedData
from memory.supervised.tasks.language_model.corpus import Corpus
from memory.supervised.tasks.language_model.corpus import read_corpus as read_layout
from memory.supervised.tasks.language_model.corpus_files import Level, Piece, layout_of, tokens_of
from tests.memory.supervised.tasks.language_model.corpus_texts import write_wikitext

BOOK = """The Project Gutenberg EBook of X

*** START OF THIS PROJECT GUTENBERG EBOOK X ***

It\u2019s late,
Mr. Bennet!

Why?
*** END OF THIS PROJECT GUTENBERG EBOOK X ***
Licence
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))


def read_corpus(folder: Path, level: Level, vocabulary: int) -> Corpus:
    return read_layout(folder.name, layout_of(folder), level, vocabulary)


def words_of(corpus, split):
    return [corpus.words[number] for number in corpus.tokens[split]]


def write(folder, **texts):
    for name, text in texts.items():
        file = folder / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_every_line_of_a_tokenised_corpus_ends_and_blank_ones_do_too(tmp_path):
    write(tmp_path, train_dot_txt=" b a b \n\n a b \n", valid_dot_txt="a \n", test_dot_txt="c a \n")
    corpus = read_corpus(tmp_path, "word", 100)
    assert words_of(corpus, "train") == ["b", "a", "b", "<eos>", "<eos>", "a", "b", "<eos>"]
    assert words_of(corpus, "test") == ["<unk>", "a", "<eos>"]
    assert corpus.words == ["b", "<eos>", "a", "<unk>"]
    assert corpus.counts.tolist() == [3, 3, 2, 0]
    assert not corpus.remark


def test_a_smaller_vocabulary_keeps_the_frequent_and_counts_the_rest_as_unknown(tmp_path):
    text = "a a a a b b c d \n"
    write(tmp_path, train_dot_txt=text, valid_dot_txt=text, test_dot_txt=text)
    corpus = read_corpus(tmp_path, "word", 3)
    assert corpus.words == ["a", "<unk>", "b"]
    assert corpus.counts.tolist() == [4, 3, 2]
    assert words_of(corpus, "validation") == [*"aaaabb", "<unk>", "<unk>", "<unk>"]


@pytest.mark.parametrize(
    "names",
    [
        ("wiki_dot_train_dot_tokens", "wiki_dot_valid_dot_tokens", "wiki_dot_test_dot_tokens"),
        ("train_dot_txt", "valid_dot_txt", "test_dot_txt"),
        ("train__00_dot_tokens", "valid__00_dot_tokens", "test__00_dot_tokens"),
    ],
)
def test_layouts_of_tokenised_corpora_are_read_alike(tmp_path, names):
    texts = ("a . b \n", "a \n", "b \n")
    corpus = read_corpus(write(tmp_path, **dict(zip(names, texts, strict=True))), "word", 9)
    assert words_of(corpus, "train") == ["a", ".", "b", "<eos>"]
    assert words_of(corpus, "validation") == ["a", "<eos>"]


def test_shards_and_books_are_read_one_after_the_other(tmp_path):
    write(tmp_path / "s", train__1_dot_tokens="a\n", train__2_dot_tokens="b\n")
    write(tmp_path / "s", valid__1_dot_tokens="a\n", test__1_dot_tokens="a\n")
    assert words_of(read_corpus(tmp_path / "s", "word", 9), "train") == ["a", "<eos>", "b", "<eos>"]
    write(tmp_path / "b", train__1_dot_txt="A,\nb.", validation__1_dot_txt="A", test__1_dot_txt="A")
    assert words_of(read_corpus(tmp_path / "b", "word", 9), "train") == [
        "A",
        ",",
        "b",
        ".",
        "<eos>",
    ]


def test_a_book_is_words_and_marks_without_what_is_printed_around_it(tmp_path):
    file = tmp_path / "x.txt"
    file.write_text(BOOK, newline="\r\n")
    assert list(tokens_of(Piece(file, prose=True), "word")) == [
        "It\u2019s",
        "late",
        ",",
        "Mr",
        ".",
        "Bennet",
        "!",
        "<eos>",
        "Why",
        "?",
        "<eos>",
    ]


def test_a_book_is_strictly_in_one_of_the_encodings_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("late,\ncafé\n".encode("latin-1"))
    with pytest.raises(MalformedData, match=r"x.txt, line 2: not utf-8: .*--task.encodings"):
        list(tokens_of(Piece(tmp_path / "x.txt", prose=True), "word"))
    piece = Piece(tmp_path / "x.txt", prose=True, encodings=("utf-8", "latin-1"))
    assert list(tokens_of(piece, "word")) == ["late", ",", "café", "<eos>"]
    (tmp_path / "x.txt").write_text("late,\ncafé\n", encoding="utf-8")
    assert list(tokens_of(piece, "word")) == ["late", ",", "café", "<eos>"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("cafe\u0301", ["café"]),
        ("नमस्ते, दुनिया", ["नमस्ते", ",", "दुनिया"]),
        ("می\u200cروم", ["می\u200cروم"]),
        ("\u2764\ufe0f!", ["\u2764\ufe0f", "!"]),
    ],
)
def test_a_word_keeps_its_marks(text: str, tokens: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(text, encoding="utf-8")
    assert list(tokens_of(Piece(tmp_path / "x.txt", prose=True), "word")) == [*tokens, "<eos>"]


def test_only_named_texts_are_books(tmp_path: Path) -> None:
    write(tmp_path, README_dot_txt="About.", input_dot_txt="a b", more__b_dot_txt="c d")
    with pytest.raises(
        MalformedData, match=r"3 texts \(README.txt, input.txt, more/b.txt\).*books"
    ):
        layout_of(tmp_path)
    assert layout_of(tmp_path, ["input.txt"]).files == [tmp_path / "input.txt"]
    write(tmp_path, more__c_dot_txt="e", more__d_dot_txt="f", more___dot_b_dot_txt=b"\xff\0")
    named = layout_of(tmp_path, ["input.txt", "more/[b-d].txt"])
    assert len(named.files) == 4
    assert "2 books for train, 1 books for validation, 1 books for test" in named.remark()
    for pattern in ("nothing.txt", "/etc/passwd", ""):
        with pytest.raises(MalformedData, match=f"--task.books {pattern}"):
            layout_of(tmp_path, [pattern])


@pytest.mark.parametrize("name", ["README", "LICENSE", "licence-en", "_about"])
def test_a_text_about_the_corpus_is_no_book(name: str, tmp_path: Path) -> None:
    write(tmp_path / "alone", **{f"{name}_dot_txt": "a b"})
    with pytest.raises(MalformedData, match=f"{name}.txt does not look like a book"):
        layout_of(tmp_path / "alone")
    for split in ("train", "valid", "test"):
        write(tmp_path / "split", **{f"{split}__b_dot_txt": "a b"})
    assert layout_of(tmp_path / "split").published
    write(tmp_path / "split", **{f"train__{name}_dot_txt": "a b"})
    with pytest.raises(MalformedData, match=f"{name}.txt does not look like a book"):
        layout_of(tmp_path / "split")
    assert len(layout_of(tmp_path / "split", ["*/b.txt"]).files) == 3


def test_the_books_and_the_encodings_of_a_data_set_are_known(tmp_path: Path) -> None:
    names = ("nltk/austen-emma", "nltk/chesterton-ball", "gitenberg/145_Middlemarch")
    for name in (*names, "nltk/mine", "README"):
        write(tmp_path, **{f"{name.replace('/', '__')}_dot_txt": "no\xebl".encode("latin-1")})
    layout = layout_of(tmp_path, corpus="gutenberg")
    assert {str(file.relative_to(tmp_path)) for file in layout.files} == {f"{n}.txt" for n in names}
    assert list(tokens_of(layout.splits["train"][0], "word")) == ["noël", "<eos>"]


def test_books_are_shared_out_by_their_names_alone(tmp_path):
    for number in range(23):
        write(tmp_path, **{f"deep__{number}_dot_txt": f"book {number}"})
    layout = layout_of(tmp_path, ["deep/*.txt"])
    sizes = {split: len(pieces) for split, pieces in layout.splits.items()}
    assert sizes == {"train": 19, "validation": 2, "test": 2} and len(layout.files) == 23
    again = layout_of(tmp_path, ["deep/*.txt"])
    assert again == layout and not layout.published
    (tmp_path / "deep" / "5.txt").write_text("other words")
    assert layout_of(tmp_path, ["deep/*.txt"]) == layout


def test_a_file_alone_is_cut_by_its_lines(tmp_path):
    write(tmp_path, input_dot_txt="".join(f"{number}\n" for number in range(100)))
    corpus = read_corpus(tmp_path, "character", 99)
    text = {split: "".join(words_of(corpus, split)) for split in corpus.tokens}
    assert text["train"].endswith("\n88\n89\n") and text["validation"] == "90\n91\n92\n93\n94\n"
    assert text["test"] == "95\n96\n97\n98\n99\n"
    assert len(layout_of(tmp_path).files) == 1


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"train_dot_txt": "a b"}, "train.txt ends within line 1: it was cut short"),
        ({"train_dot_txt": ""}, "train.txt is empty"),
        ({"train_dot_txt": b"a\nb \xff\n"}, "train.txt, line 2: not utf-8"),
        ({"train_dot_txt": b"a\nb\0\n"}, r"train.txt, line 2: the control character '\\x00'"),
        ({"test_dot_txt": "\n"}, "test.txt: 1 tokens; a split needs 2"),
        ({"a_dot_train_dot_tokens": "a\n"}, "which is it, a.train.tokens or train.txt"),
    ],
)
def test_a_malformed_corpus_is_refused_with_file_and_line(tmp_path, texts, words):
    write_wikitext(tmp_path)
    with pytest.raises(MalformedData, match=words):
        read_corpus(write(tmp_path, **texts), "word", 9)


def test_binary_books_and_missing_splits_are_refused(tmp_path):
    (tmp_path / "train.txt").write_text("a\n")
    with pytest.raises(MalformedData, match=r"no file .*valid.*beside those of the other splits"):
        read_corpus(tmp_path, "word", 9)
    with pytest.raises(MissingData, match="no text there"):
        layout_of(tmp_path / "empty")
    for name in "abc":
        write(tmp_path / "books", **{f"{name}_dot_txt": b"good\n\x89PNG\n"})
    with pytest.raises(MalformedData, match=r"c.txt, line 2: the control character '\\x89'"):
        list(tokens_of(Piece(tmp_path / "books" / "c.txt", True, encodings=("latin-1",)), "word"))
    (tmp_path / "books" / "c.txt").unlink()
    with pytest.raises(MalformedData, match="2 books; a split needs 3"):
        layout_of(tmp_path / "books", ["?.txt"])


def test_a_corpus_is_read_once_and_again_when_it_changes(tmp_path, monkeypatch):
    folder = write_wikitext(tmp_path / "corpus")
    first = read_corpus(folder, "word", 50)
    with monkeypatch.context() as patch:
        patch.setattr("memory.supervised.tasks.language_model.corpus.tokens_of", None)
        kept = read_corpus(folder, "word", 50)
    assert kept.words == first.words and kept.fingerprint == first.fingerprint
    for split, tokens in first.tokens.items():
        assert np.array_equal(kept.tokens[split], tokens)
    write(folder, test_dot_txt="w1 w2 \n")
    assert words_of(read_corpus(folder, "word", 50), "test") == ["w1", "w2", "<eos>"]
    assert read_corpus(folder, "word", 5).fingerprint != first.fingerprint


def test_the_published_counts_of_wikitext_2():
    data = Path(os.environ.get("ENGRAM_DATA", "nowhere"))
    if not (data / "wikitext-2").is_dir():
        pytest.skip("no wikitext-2: ENGRAM_DATA does not name a folder that has it")
    corpus = read_corpus(data / "wikitext-2", "word", 250_000)
    sizes = {split: len(tokens) for split, tokens in corpus.tokens.items()}
    assert sizes == {"train": 2_088_628, "validation": 217_646, "test": 245_569}
    assert len(corpus.words) == 33_278
