"""Files of data sets that are not what they should be are refused in one sentence."""

import os
from pathlib import Path

import pytest

from memory.supervised.data.text_file import MalformedData, read_lines, read_text
from memory.supervised.tasks.babi.stories import read_stories
from memory.supervised.tasks.pos_tagging.word_vectors import read_vectors


def test_a_byte_order_mark_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbfdogs\r\nbark\n")
    assert read_text(tmp_path / "x.txt") == "dogs\nbark\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"good\nMa\x00ry\n", r"x\.txt, line 2: the control character '\\x00'"),
        (b"good\ngood\ncaf\xe9\n", r"x\.txt, line 3: not utf-8"),
    ],
)
def test_what_is_not_text_is_named_with_its_line(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(MalformedData, match=reason):
        read_text(tmp_path / "x.txt")


def test_a_pipe_a_device_and_a_folder_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # which would be waited for without end
    for file in (tmp_path / "pipe", Path("/dev/zero")):
        for read in (read_text, lambda file: read_vectors(file, {"dogs"})):
            with pytest.raises(MalformedData, match=f"{file} cannot be read: not a regular file"):
                read(file)
    for file in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MalformedData, match=f"{file} cannot be read"):
            read_text(file)


def test_a_file_too_large_to_read_is_refused_with_its_size(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.txt").write_text("0123456789")
    with pytest.raises(MalformedData, match=r"x\.txt cannot be read: 10 bytes, expected at most 9"):
        read_text(tmp_path / "x.txt", most=9)


def test_an_answer_has_no_space_around_it_and_is_not_one(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("1 Mary went to the cellar.\n2 Where is Mary?\tcellar \t1\n")
    assert [question.answer for question in read_stories(file)] == ["cellar"]
    file.write_text("1 Mary went to the cellar.\n2 Where is Mary?\t \t1\n")
    with pytest.raises(MalformedData, match=r"x\.txt, line 2: a question without an answer"):
        read_stories(file)


def test_text_is_in_normal_form_with_line_feeds(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("cafe\u0301\r\nb\rc\n".encode())
    assert read_text(tmp_path / "x.txt") == "café\nb\nc\n"


def test_lines_are_numbered_and_none_is_longer_than_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbfe\xcc\x81\r\nlong line\n")
    assert list(read_lines(tmp_path / "x.txt")) == [(1, "\u00e9\n"), (2, "long line\n")]
    with pytest.raises(MalformedData, match=r"x\.txt, line 2: longer than 9 bytes"):
        list(read_lines(tmp_path / "x.txt", longest=9))
