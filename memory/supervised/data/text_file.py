"""Files of data sets, read as a whole or refused.

Text is in Unicode's normal form C, in which an accented letter has one spelling.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from unicodedata import normalize

from memory.regular_file import open_regular, read_regular

LARGEST = 1 << 28
"""Bytes of the largest file that is read as a whole."""
LONGEST_LINE = 1 << 27
"""Bytes of the longest line of a file that is read line by line."""
MOST_WORDS = 2_000
"""Words of the longest sentence."""
CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
"""Characters that text does not have."""
UTF_8 = ("utf-8",)


class MalformedData(ValueError):
    """A file is not what it should be; the message names it, and the line."""


class OtherEncoding(MalformedData):
    """A text is in none of the encodings that were expected."""


def read_data(file: Path, most: int = LARGEST) -> bytes:
    """The bytes of a file.

    Raises:
        MalformedData: it is not a regular file, is too large, or cannot be read.
    """
    try:
        return read_regular(file, most)
    except OSError as error:
        raise MalformedData(f"{file} cannot be read: {error.strerror}.") from None


def read_text(
    file: Path,
    encodings: Sequence[str] = UTF_8,
    most: int = LARGEST,
    refused: re.Pattern[str] = CONTROL_CHARACTER,
) -> str:
    r"""The text of a file, with `\n` at the ends of lines and without a byte order mark.

    Args:
        encodings: names, tried in this order.
        refused: characters that the text must not have.

    Raises:
        MalformedData: it is not a regular file of such text, or is too large.
    """
    text = _decoded(file, read_data(file, most), encodings)
    if found := refused.search(text):
        line = 1 + text.count("\n", 0, found.start())
        raise MalformedData(f"{file}, line {line}: the control character {found[0]!r} is not text.")
    return normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def read_lines(file: Path, longest: int = LONGEST_LINE) -> Iterator[tuple[int, str]]:
    r"""The lines of a file in UTF-8, with `\n` at their ends, and the number of each.

    Raises:
        MalformedData: it is not a regular file of text, or a line is too long.
    """
    number = 0
    try:
        with open_regular(file) as opened:
            while raw := opened.readline(longest + 1):
                number += 1
                if len(raw) > longest:
                    raise MalformedData(f"{file}, line {number}: longer than {longest:,} bytes.")
                line = raw.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").decode()
                yield number, normalize("NFC", line.replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise OtherEncoding(f"{file}, line {number}: not utf-8: {error.reason}.") from None
    except OSError as error:
        raise MalformedData(f"{file} cannot be read: {error.strerror}.") from None


def _decoded(file: Path, data: bytes, encodings: Sequence[str]) -> str:
    first: UnicodeDecodeError | None = None
    for name in encodings:
        try:
            return data.removeprefix(codecs.BOM_UTF8).decode(name)
        except UnicodeDecodeError as error:
            first = first or error
    assert first
    line = 1 + data.count(b"\n", 0, first.start)
    raise OtherEncoding(f"{file}, line {line}: not {' or '.join(encodings)}: {first.reason}.")
