"""Text files of data sets, read as a whole or refused."""

import re
import stat
from pathlib import Path

LARGEST = 1 << 30
"""Bytes of the largest file that is read as a whole."""
CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
"""Characters that text does not have."""


class MalformedData(ValueError):
    """A file is not what it should be; the message names it, and the line."""


def check_regular(file: Path) -> int:
    """Returns the size of a regular file in bytes.

    Raises:
        MalformedData: it is a pipe, a device or a folder, or cannot be read.
    """
    try:
        found = file.stat()
    except OSError as error:
        raise MalformedData(f"{file} cannot be read: {error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise MalformedData(f"{file} is not a regular file.")
    return found.st_size


def read_text(file: Path) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Raises:
        MalformedData: it is not a regular file of text in UTF-8, or is larger than `LARGEST`.
    """
    size = check_regular(file)
    if size > LARGEST:
        raise MalformedData(f"{file} has {size:,} bytes, expected at most {LARGEST:,}.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        raise MalformedData(f"{file}, line {line}: not UTF-8: {error.reason}") from None
    except OSError as error:
        raise MalformedData(f"{file} cannot be read: {error}") from None
    if found := CONTROL_CHARACTER.search(text):
        line = 1 + text.count("\n", 0, found.start())
        raise MalformedData(f"{file}, line {line}: the control character {found[0]!r} is not text.")
    return text
