"""Atomic writes: a file or folder appears complete or not at all, even after a power failure."""

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".unfinished-"
"""Prefix of the names under which data are written; a process that is killed leaves such a file."""


def atomic_write(file: Path, content: str | bytes) -> None:
    """Write a file, in place of an existing one.

    Raises:
        OSError: it could not be written; an existing file is unchanged.
    """
    with atomic_path(file) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_path(target: Path, *, replace: bool = True) -> Generator[Path, None, None]:
    """Yield a path beside `target`; what the block writes there, file or folder, becomes `target`.

    When the block ends, its files and folders are flushed to the disk, renamed to `target` in place
    of what is there, and the parent folder is flushed. After an error `target` is unchanged, and
    what was written is removed.

    Args:
        replace: whether a folder takes the place of one that has files.

    Raises:
        FileExistsError: without `replace`, if `target` has files or is a file.
    """
    unfinished = target.with_name(f"{UNFINISHED}{os.getpid()}-{target.name}")
    try:
        yield unfinished
        _flush_tree(unfinished)
        _replace(unfinished, target) if replace else _rename(unfinished, target)
        _flush(target.parent)
    finally:
        _remove(unfinished)


def _flush_tree(path: Path) -> None:
    if path.is_dir():
        for entry in path.iterdir():
            _flush_tree(entry)
    _flush(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(new: Path, target: Path) -> None:
    """Rename a folder to a name that is not in use; of several processes one succeeds."""
    try:
        new.rename(target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        raise


def _replace(new: Path, target: Path) -> None:
    if not target.is_dir():
        new.replace(target)
        return
    # A folder cannot be replaced in one step: the old one is moved away, then removed.
    old = target.with_name(f"{UNFINISHED}{os.getpid()}-old-{target.name}")
    target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
