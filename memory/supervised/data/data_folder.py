"""The folders of data sets and of arrays prepared from them.

Data sets are in the given folder, the one that ENGRAM_DATA names, or the user's cache.
"""

import os
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np

from memory.regular_file import open_regular

VARIABLE, PREPARED = "ENGRAM_DATA", "ENGRAM_CACHE"


def _cache() -> Path:
    try:
        home = Path.home()
    except RuntimeError:  # a user without a name or a home, in a container
        home = Path(tempfile.gettempdir())
    return home / ".cache" / "engram"


CACHE = _cache()


class MissingData(ValueError):
    """A data set was not found; the message says where it was searched and how to get it."""


def usual_folder() -> Path:
    """The default folder of data sets."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else CACHE


def find_data(name: str, given: Path | None, wanted: str) -> Path:
    """The folder of a data set that holds `wanted`.

    Args:
        name: of the data set, and of its folder.
        given: `--task.data`, if set: the folder itself, or one that holds it.
        wanted: a file or folder that it must have.

    Raises:
        MissingData: no folder has it.
    """
    parents = [given] if given else [*dict.fromkeys((usual_folder(), CACHE))]
    places = [place for parent in parents for place in (parent / name, parent)]
    for place in places:
        if (place / wanted).exists():
            return place
    looked = ", ".join(map(str, places))
    raise MissingData(
        f"{name}: no {wanted} in {looked}. Get it by `python scripts/download.py {name}`, or name "
        f"the folder that has it by --task.data or {VARIABLE}."
    )


def key_of(files: Iterable[Path], version: str) -> str:
    """A hash of the names, sizes and times of files and of the version of the code."""
    lines = [version]
    for file in files:
        found = file.stat()
        lines.append(f"{file.resolve()} {found.st_size} {found.st_mtime_ns}")
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def prepared(
    name: str, key: str, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Arrays that take long to make: made once, then read from a cache.

    Args:
        name: prefix of the file name.
        key: from `key_of`; with a new key the arrays are made again.
    """
    named = os.environ.get(PREPARED)
    folder = Path(named) if named else CACHE / "prepared"
    file = folder / f"{name}-{key}.npz"
    try:
        with open_regular(file) as opened, np.load(opened) as saved:
            return dict(saved)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError, EOFError, BadZipFile, RuntimeError, zlib.error) as error:
        warnings.warn(f"{file} is damaged and is made again: {error}", stacklevel=2)
    arrays = make()
    try:
        _save(file, arrays)
    except OSError as error:
        warnings.warn(f"{file} cannot be kept: {error}", stacklevel=2)
    return arrays


def _save(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write beside the file and rename, so that the file is always complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        try:
            np.savez(part, **arrays)  # pyright: ignore[reportArgumentType]
            part.close()
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise
