"""Where data sets lie: the folder given, the one that ENGRAM_DATA names, or the user's cache."""

import os
from pathlib import Path

VARIABLE = "ENGRAM_DATA"
CACHE = Path.home() / ".cache" / "engram"


class MissingData(ValueError):
    """A data set is not there; the message says what it is, where it was looked for, what to do."""


def find_data(name: str, given: Path | None, wanted: str, source: str) -> Path:
    """The folder of a data set that holds `wanted`.

    Args:
        name: of the data set, and of its folder.
        given: `--task.data`, if set: the folder itself, or one that holds it.
        wanted: a file or folder that it must have.
        source: where users get it from.

    Raises:
        MissingData: it is nowhere.
    """
    named = os.environ.get(VARIABLE)
    parents = [given] if given else [*([Path(named)] if named else []), CACHE]
    places = [place for parent in parents for place in (parent / name, parent)]
    for place in places:
        if (place / wanted).exists():
            return place
    looked = ", ".join(map(str, places))
    raise MissingData(
        f"{name}: no {wanted} in {looked}. Get it from {source}, and name its folder by "
        f"--task.data or {VARIABLE}."
    )
