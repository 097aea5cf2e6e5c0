"""Word vectors are read from files as they are found, and fields that are none are refused."""

from pathlib import Path

import pytest

from memory.supervised.data.text_file import MalformedData
from memory.supervised.tasks.pos_tagging import word_vectors
from memory.supervised.tasks.pos_tagging.word_vectors import read_vectors


@pytest.mark.parametrize("start", ["2 3\n", "\ufeff", "\ufeff2 3\n", ""])
def test_vectors_with_a_header_or_a_byte_order_mark_are_read(start: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(start + "Dogs 1 2 3\nbark 4 5 6\n", encoding="utf-8")
    found = read_vectors(tmp_path / "x.txt", {"Dogs", "bark"})
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "Dogs": [1, 2, 3],
        "bark": [4, 5, 6],
    }


@pytest.mark.parametrize("ending", ["\n", " \n", "\r\n"])
def test_ends_of_lines_are_no_numbers(ending: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(f"2 2{ending}Dogs 1 2{ending}bark 3 4{ending}".encode())
    found = read_vectors(tmp_path / "x.txt", {"Dogs", "bark"})
    assert [vector.tolist() for vector in found.values()] == [[1, 2], [3, 4]]


def test_a_word_has_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("cafe\u0301 1 2\n", encoding="utf-8")
    assert list(read_vectors(tmp_path / "x.txt", {"café"})) == ["café"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Dogs 1 nan", "expected numbers of at most 1,000,000, found nan"),
        ("Dogs 1 -inf", "found -inf"),
        ("Dogs 1 1e30", "found 1e[+]30"),
        ("Dogs 1 two", "could not convert string to float"),
        ("Dogs 1", "not a word and 2 numbers"),
        ("bark 3 4", "a second vector of 'bark'"),
    ],
)
def test_a_vector_that_cannot_be_used_is_named_with_its_line(
    line: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_text(f"bark 1 2\n{line}\n")
    with pytest.raises(MalformedData, match=rf"x\.txt, line 2: .*{reason}"):
        read_vectors(tmp_path / "x.txt", {"Dogs", "bark"})


def test_vectors_too_long_to_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_vectors, "MOST_NUMBERS", 3)
    (tmp_path / "x.txt").write_text("bark 1 2 3 4\n")
    with pytest.raises(MalformedData, match=r"x\.txt, line 1: not a word and"):
        read_vectors(tmp_path / "x.txt", {"bark"})
