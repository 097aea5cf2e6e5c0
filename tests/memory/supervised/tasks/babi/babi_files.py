"""Small files in the format of the bAbI tasks, for tests that have no data."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

NAMES = ("Mary", "John", "Sandra")
PLACES = ("garden", "office", "kitchen", "hallway")


def write_babi(folder: Path, stories: int = 20, tasks: Iterable[int] = (1, 2)) -> Path:
    """Some tasks, of both sizes: who is where, after some moves. Returns the folder."""
    random = np.random.default_rng(1)
    for size in ("en", "en-10k"):
        (folder / size).mkdir(parents=True, exist_ok=True)
        for task in tasks:
            for part in ("train", "test"):
                file = folder / size / f"qa{task}_places_{part}.txt"
                file.write_text("".join(_story(random) for _ in range(stories)))
    return folder


def _story(random: np.random.Generator) -> str:
    where: dict[str, str] = {}
    lines = []
    for _ in range(3):
        for _ in range(2):
            name = NAMES[random.integers(len(NAMES))]
            where[name] = PLACES[random.integers(len(PLACES))]
            lines.append(f"{name} went to the {where[name]}.")
        asked = sorted(where)[random.integers(len(where))]
        lines.append(f"Where is {asked}? \t{where[asked]}\t1")
    return "".join(f"{number} {line}\n" for number, line in enumerate(lines, start=1))
