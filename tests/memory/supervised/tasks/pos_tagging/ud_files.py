"""Small files in the format of the treebanks, for tests that have no data."""

from pathlib import Path

import numpy as np

from memory.supervised.tasks.pos_tagging.pos_tagging import FILES

WORDS = {
    "DET": ("DT", ("the", "a", "this")),
    "NOUN": ("NN", ("dog", "cat", "tree", "walk", "run")),
    "VERB": ("VBP", ("walk", "run", "see")),
    "PROPN": ("NNP", ("Mary", "John", "IBM-2")),
    "PUNCT": (".", (".", "!")),
}
ORDERS = (("PROPN", "VERB", "PUNCT"), ("DET", "NOUN", "VERB", "DET", "NOUN", "PUNCT"))


def write_ud(folder: Path) -> Path:
    """Three files of sentences; 60 in the test. Returns the folder."""
    random = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 200), ("validation", 30), ("test", 60)):
        text = "".join(sentence(random) for _ in range(count))
        (folder / FILES[split]).write_text(text)
    return folder


def sentence(random: np.random.Generator) -> str:
    """The lines of a sentence, the empty one at its end among them."""
    lines = ["# text = something"]
    order = ORDERS[random.integers(len(ORDERS))]
    for number, upos in enumerate(order, start=1):
        xpos, words = WORDS[upos]
        word = words[random.integers(len(words))]
        if random.random() < 0.05:
            word += str(random.integers(1000))
        lines.append("\t".join([str(number), word, word.lower(), upos, xpos, *"_____"]))
    return "\n".join([*lines, "", ""])
