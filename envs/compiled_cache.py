"""A folder for compiled code where Numba finds none.

Numba keeps compiled functions beside their source or in the user's cache. Where neither can be
written, as in a container with a read-only file system, it refuses to compile.
"""

import os
import stat
import tempfile
from pathlib import Path

from numba import njit
from numba.core import config


def ensure_cache() -> None:
    """Let Numba keep compiled functions in the temporary folder if it has no other place.

    Call this before functions are compiled.
    """
    try:
        njit(cache=True)(_probe)
    except RuntimeError:
        config.CACHE_DIR = str(_private_folder())  # pyright: ignore[reportAttributeAccessIssue]


def _probe() -> None:
    """Is compiled to find out whether the result can be kept."""


def _private_folder() -> Path:
    """A folder that only this user can write: what is kept in it is executed."""
    folder = Path(tempfile.gettempdir()) / f"engram-numba-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        is_private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if not is_private or found.st_uid != os.getuid():
            return Path(tempfile.mkdtemp(prefix="engram-numba-"))
    return folder
