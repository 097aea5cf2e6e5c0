"""Text files of data sets, read as a whole or refused."""

from pathlib import Path


class MalformedData(ValueError):
    """A file is not what it should be; the message names it, and the line."""


def read_text(file: Path) -> str:
    """What a file holds, without a mark of byte order.

    Raises:
        MalformedData: it is no text in UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        raise MalformedData(f"{file}, line {line}: not UTF-8: {error.reason}") from None
    except OSError as error:
        raise MalformedData(f"{file} cannot be read: {error}") from None
