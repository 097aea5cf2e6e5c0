"""An exclusive lock on a folder, held by the one process that writes to it."""

import fcntl
import json
import os
import platform
import time
from pathlib import Path
from typing import IO

from memory.regular_file import read_regular

LOCK = ".lock"


class FolderInUse(RuntimeError):
    """Another process holds the lock of a folder; the message names the folder and the process."""


class FolderLock:
    """Holds the lock of a folder from its creation until `release`, or until the process ends.

    Args:
        folder: that exists.
        name: of the lock file.

    Raises:
        FolderInUse: another process holds it.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, name: str = LOCK) -> None:
        file = folder / name
        self._file: IO[str] = open(file, "a+", opener=_unless_a_link)  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not file.exists() or not os.path.samestat(
                os.fstat(self._file.fileno()), file.stat()
            ):
                raise BlockingIOError  # the folder was replaced in between
        except BlockingIOError:
            self.release()
            raise FolderInUse(f"{folder} is in use by {_holder(file)}.") from None
        self._file.truncate(0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        json.dump({"pid": os.getpid(), "host": platform.node(), "since": since}, self._file)
        self._file.flush()

    def release(self) -> None:
        """Release the lock; may be called again."""
        self._file.close()


def _unless_a_link(path: str, flags: int) -> int:
    """A link in a folder from elsewhere could lead to any file of the user, which is emptied."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def _holder(file: Path) -> str:
    try:
        holder = json.loads(read_regular(file, 10_000))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
