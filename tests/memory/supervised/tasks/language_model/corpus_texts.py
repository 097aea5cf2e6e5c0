"""Small corpora, for tests that have no data."""

from pathlib import Path

import numpy as np


def write_wikitext(folder: Path, words: int = 12, tokens: int = 400) -> Path:
    """Lines of random words, all of which training has; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    names = np.array([f"w{number}" for number in range(words)])
    for split, size in (("train", tokens), ("valid", tokens // 4), ("test", tokens // 4)):
        drawn = names[random.integers(words, size=size)]
        every = names if split == "train" else names[:0]
        lines = (" ".join(line) for line in np.array_split(np.append(every, drawn), size // 10))
        (folder / f"{split}.txt").write_text("".join(f" {line} \n" for line in lines))
    return folder
