"""A small file of pairs of sentences, for tests that have no data."""

from itertools import product
from pathlib import Path

SUBJECTS = ("I", "We", "They", "Tom", "Mary", "You", "The dog", "A cat")
VERBS = (
    "see",
    "hear",
    "like",
    "know",
    "find",
    "want",
    "sell",
    "meet",
    "hold",
    "keep",
    "lose",
    "miss",
)
OBJECTS = ("it", "him", "her", "them", "Tom", "Mary", "the dog", "a cat")


def write_pairs(folder: Path) -> Path:
    """768 different sentences, each with a translation of no meaning. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    words = product(SUBJECTS, VERBS, OBJECTS)
    lines = [f"{subject} {verb} {thing}.\tx" for subject, verb, thing in words]
    (folder / "spa.txt").write_text("\n".join([*lines, ""]))
    return folder
