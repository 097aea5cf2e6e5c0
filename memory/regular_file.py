"""Regular files, opened without waiting and read within a bound."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(file: Path, most: int | None = None) -> BinaryIO:
    """Open a regular file for reading.

    A pipe or a device is refused at once; it is neither waited for nor read.

    Args:
        most: bytes that the file may have.

    Raises:
        OSError: it is no regular file, is larger, or cannot be read; `strerror` is the reason.
    """
    opened = open(file, "rb", opener=_without_waiting)  # noqa: SIM115
    found = os.fstat(opened.fileno())
    reason = None
    if not stat.S_ISREG(found.st_mode):
        reason = "not a regular file"
    elif most is not None and found.st_size > most:
        reason = f"{found.st_size:,} bytes, expected at most {most:,}"
    if reason:
        opened.close()
        raise OSError(errno.EINVAL, reason, str(file))
    return opened


def read_regular(file: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes; errors are those of `open_regular`."""
    with open_regular(file, most) as opened:
        return opened.read(os.fstat(opened.fileno()).st_size)  # a buffer of `most` would be made


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
