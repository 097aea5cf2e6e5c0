"""A corpus as numbers of its tokens; a token's number is its rank by frequency in training.

Reading a large corpus takes minutes, so it is done once and kept (`data_folder.prepared`). While it
is done, four bytes for each token are held in memory.
"""

from array import array
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from memory.supervised.data.data_folder import key_of, prepared
from memory.supervised.data.text_file import MalformedData
from memory.supervised.tasks.language_model.corpus_files import Layout, Level, Piece, tokens_of

UNKNOWN = "<unk>"
VERSION = "2"
"""To be changed with anything that changes what a corpus is read as."""


class Corpus(NamedTuple):
    """The splits of a corpus, and its vocabulary."""

    tokens: dict[str, np.ndarray]
    """Of each split, int32."""
    words: list[str]
    """By number."""
    counts: np.ndarray
    """Of each word in training; of `<unk>`, what has no number of its own."""
    remark: str
    """How it was split, if it did not come with its split."""

    @property
    def fingerprint(self) -> str:
        """A hash of the vocabulary."""
        return sha256("\0".join(self.words).encode()).hexdigest()[:16]


def read_corpus(name: str, layout: Layout, level: Level, vocabulary: int) -> Corpus:
    """Read a corpus, or what was kept of it.

    Args:
        name: of what is kept.
        vocabulary: words at most, `<unk>` among them; rarer ones become `<unk>`.

    Raises:
        ValueError: text is missing or not what it should be.
    """
    key = key_of(layout.files, f"{VERSION} {level} {vocabulary} {layout.splits}")
    arrays = prepared(f"corpus-{name}", key, lambda: _number(layout, level, vocabulary))
    words = arrays["words"].tobytes().decode().split("\0")
    tokens = {split: arrays[split] for split in layout.splits}
    return Corpus(tokens, words, arrays["counts"], layout.remark())


def _number(layout: Layout, level: Level, vocabulary: int) -> dict[str, np.ndarray]:
    seen = {UNKNOWN: 0}
    """Words in the order of their first occurrence."""
    train = _read(layout.splits["train"], level, seen, grow=True)
    counts = np.bincount(train, minlength=len(seen))
    by_count = np.argsort(-counts[1:], kind="stable")[: vocabulary - 1] + 1
    counts[0] += counts.sum() - counts[0] - counts[by_count].sum()
    kept = np.append(by_count, 0)
    kept = kept[np.argsort(-counts[kept], kind="stable")]
    rank = np.full(len(seen), np.flatnonzero(kept == 0)[0], dtype=np.int32)
    rank[kept] = np.arange(len(kept), dtype=np.int32)
    held_out = {s: _read(layout.splits[s], level, seen) for s in ("validation", "test")}
    numbered = {split: rank[ids] for split, ids in {"train": train, **held_out}.items()}
    all_words = list(seen)
    words = "\0".join(all_words[int(i)] for i in kept).encode()
    named = {"counts": counts[kept], "words": np.frombuffer(words, dtype=np.uint8)}
    return {**numbered, **named}


def _read(
    pieces: Sequence[Piece], level: Level, seen: dict[str, int], grow: bool = False
) -> np.ndarray:
    """Numbers of all tokens; 0 for those not seen before, unless there may be more of them."""
    numbers = array("i")
    for piece in pieces:
        tokens = tokens_of(piece, level)
        if grow:
            numbers.extend(seen.setdefault(token, len(seen)) for token in tokens)
        else:
            numbers.extend(seen.get(token, 0) for token in tokens)
    if len(numbers) < 2:
        files = ", ".join(str(piece.file) for piece in pieces)
        raise MalformedData(f"{files}: {len(numbers)} tokens; a split needs 2")
    return np.frombuffer(numbers, dtype=np.int32)
