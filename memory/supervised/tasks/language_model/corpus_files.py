"""The files of a corpus, and how they are cut into tokens.

A folder has one of these layouts, tried in this order:

* `*.train.tokens`, `*.valid.tokens` and `*.test.tokens`, or `train.txt`, `valid.txt` and `test.txt`
  (WikiText): tokens between blanks, and `<eos>` after every line, blank ones too;
* folders `train`, `valid` (or `validation`) and `test`: of `*.tokens`, shards as above (GigaWord);
  or of `*.txt`, books (Project Gutenberg, split by Rae et al. 2018);
* books, not yet split: in the order of the SHA-256 of their names the first twentieth, one at
  least, is the validation, as many after it are the test, the rest is training;
* one book: the last twentieth of its lines is the test, the one before it the validation.

Which files are books is said by name, or known of a data set that can be downloaded; otherwise a
folder without splits has one `*.txt`, at any depth. Books are prose: words and marks apart, `<eos>`
after each paragraph, and what Project Gutenberg prints before and after a book is left out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from memory.supervised.data.data_folder import MissingData
from memory.supervised.data.data_sets import SETS, File
from memory.supervised.data.text_file import (
    UTF_8,
    MalformedData,
    OtherEncoding,
    read_lines,
    read_text,
)
from memory.supervised.data.words import marks

Level = Literal["word", "character"]

END = "<eos>"
NAMES = {"train": ("train",), "validation": ("valid", "validation"), "test": ("test",)}
"""What a split is called by files and folders."""
STRANGE = re.compile(r"[\0\x80-\x9f]")
"""Characters that are in no text, but in files that are none read as Latin-1."""
LARGEST_BOOK = 1 << 30
"""Bytes."""
ABOUT = r"[\W_]*(readme|licen[cs]e|copying|copyright|notice|authors|changelog|about|citation)\b"
"""Beginnings of names of files that are rarely books."""


@dataclass(frozen=True)
class Piece:
    """Lines of a file, from one share of them to another."""

    file: Path
    prose: bool = False
    begin: float = 0.0
    end: float = 1.0
    encodings: tuple[str, ...] = UTF_8
    """Tried in this order."""


@dataclass(frozen=True)
class Layout:
    """The pieces of each split, in order."""

    splits: dict[str, list[Piece]]
    published: bool
    """Whether the corpus came with this split."""

    @property
    def files(self) -> list[Path]:
        """Every file, once."""
        return list(dict.fromkeys(p.file for pieces in self.splits.values() for p in pieces))

    def remark(self) -> str:
        """How the text was split; empty if it came with its split."""
        if self.published:
            return ""
        if len(self.files) == 1:
            shares = f"the last tenth of the lines of {self.files[0].name} is held out"
        else:
            shares = ", ".join(f"{len(ps)} books for {split}" for split, ps in self.splits.items())
        return f"The split of this corpus is not a published one: {shares}."


def layout_of(
    folder: Path, books: Sequence[str] = (), encodings: Sequence[str] = (), corpus: str = ""
) -> Layout:
    """Find the text of a corpus.

    Args:
        books: names or patterns of its books, `nltk/*.txt`; the default is those of the data set.
        encodings: of books, tried in this order; the default is those of the data set, or UTF-8.
        corpus: name of the data set.

    Raises:
        MissingData: there is none.
        MalformedData: a split is missing, or it is not known which files are books.
    """
    known = SETS.get(corpus)
    of = tuple(encodings) or (known.encodings if known else UTF_8)
    named = _matching(folder, books) if books else None
    found = {split: _named(folder, names, named, of) for split, names in NAMES.items()}
    if any(found.values()):
        for split, pieces in found.items():
            if not pieces:
                names = " or ".join(NAMES[split])
                raise MalformedData(
                    f"{folder}: no file *.{names}.tokens or {names}.txt, and no folder {names} "
                    "with *.tokens or *.txt, beside those of the other splits"
                )
        return Layout(found, published=True)
    texts = named or _of_data_set(folder, corpus) or _only_book(folder)
    return Layout(_cut(texts[0], of) if len(texts) == 1 else _shared_out(texts, of), False)


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Files that have one of some names or match one of some patterns."""
    found: set[Path] = set()
    for pattern in patterns:
        try:
            files = {file for file in folder.glob(pattern) if not file.is_dir()}
        except (ValueError, NotImplementedError) as error:
            raise MalformedData(f"--task.books {pattern}: {error}") from None
        if not files:
            raise MalformedData(f"--task.books {pattern}: {folder} has no such file.")
        found |= files
    return sorted(found)


def _of_data_set(folder: Path, corpus: str) -> list[Path]:
    """The books of a data set that can be downloaded, as far as they are there."""
    sources = SETS[corpus].sources if corpus in SETS else ()
    names = [file.path for file in sources if isinstance(file, File)]
    return sorted(
        folder / name for name in names if name.endswith(".txt") and (folder / name).exists()
    )


def _only_book(folder: Path) -> list[Path]:
    texts = _visible(folder, "txt")
    if not texts:
        raise MissingData(f"{folder}: no text there: no *.tokens, no *.txt")
    if len(texts) > 1:
        names = ", ".join(str(text.relative_to(folder)) for text in texts[:4])
        raise MalformedData(
            f"{folder} has {len(texts)} texts ({names}{', ...' * (len(texts) > 4)}): name those "
            "that are the corpus by --task.books."
        )
    return _checked_books(texts)


def _visible(folder: Path, suffix: str) -> list[Path]:
    """Files at any depth, without hidden ones."""
    files = folder.rglob(f"*.{suffix}")
    return sorted(f for f in files if not re.search(r"(^|/)\.", str(f.relative_to(folder))))


def _checked_books(texts: list[Path]) -> list[Path]:
    for text in texts:
        if re.match(ABOUT, text.stem, re.IGNORECASE):
            raise MalformedData(
                f"{text} does not look like a book: name the texts of the corpus by --task.books."
            )
    return texts


def _named(
    folder: Path, names: Sequence[str], books: list[Path] | None, encodings: tuple[str, ...]
) -> list[Piece]:
    """The pieces of a split.

    Args:
        books: the only ones that count, if given.
    """
    for name in names:
        files = sorted({*folder.glob(f"*.{name}.tokens"), *folder.glob(f"{name}.txt")})
        if len(files) > 1:
            raise MalformedData(f"{folder}: which is it, {' or '.join(f.name for f in files)}?")
        shards, texts = (_visible(folder / name, suffix) for suffix in ("tokens", "txt"))
        if files or shards:
            return [Piece(file) for file in files or shards]
        texts = _checked_books(texts) if books is None else [t for t in texts if t in books]
        if texts:
            return [Piece(file, prose=True, encodings=encodings) for file in texts]
    return []


def _cut(file: Path, encodings: tuple[str, ...]) -> dict[str, list[Piece]]:
    bounds = {"train": (0.0, 0.9), "validation": (0.9, 0.95), "test": (0.95, 1.0)}
    return {split: [Piece(file, True, *share, encodings)] for split, share in bounds.items()}


def _shared_out(books: list[Path], encodings: tuple[str, ...]) -> dict[str, list[Piece]]:
    if len(books) < 3:
        raise MalformedData(f"{books[0].parent}: {len(books)} books; a split needs 3")
    order = sorted(books, key=lambda book: sha256(book.name.encode()).digest())
    held = -(-len(books) // 20)
    parts = {
        "train": order[2 * held :],
        "validation": order[:held],
        "test": order[held : 2 * held],
    }
    return {
        split: [Piece(file, prose=True, encodings=encodings) for file in sorted(files)]
        for split, files in parts.items()
    }


def tokens_of(piece: Piece, level: Level) -> Iterator[str]:
    """The tokens of a piece.

    Raises:
        MalformedData: it has none, is no text, or was cut short.
    """
    lines = _book(piece) if piece.prose else _lines(piece.file)
    if level == "character":
        return (character for line in lines for character in line)
    return _words(lines) if piece.prose else _tokens(lines)


def _tokens(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield from (match[0] for match in re.finditer(r"\S+", line))
        yield END


def _lines(file: Path) -> Iterator[str]:
    """Lines with their ends, each checked."""
    number, line = 0, ""
    for number, line in read_lines(file):
        if strange := STRANGE.search(line):
            raise MalformedData(
                f"{file}, line {number}: the control character {strange[0]!r} is not text."
            )
        yield line
    if not number:
        raise MalformedData(f"{file} is empty.")
    if not line.endswith("\n"):
        raise MalformedData(f"{file} ends within line {number}: it was cut short.")


def _book(piece: Piece) -> Iterator[str]:
    """Lines with their ends, without what is printed around the book."""
    try:
        text = read_text(piece.file, piece.encodings, LARGEST_BOOK, STRANGE)
    except OtherEncoding as error:
        raise OtherEncoding(f"{error} Name its encoding by --task.encodings.") from None
    if not text:
        raise MalformedData(f"{piece.file} is empty.")
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    printed = [re.match(r"\*\*\* ?(START|END) OF", line) for line in lines]
    starts = [at + 1 for at, mark in enumerate(printed) if mark and mark[1] == "START"]
    ends = [at for at, mark in enumerate(printed) if mark and mark[1] == "END"]
    lines = lines[starts[0] if starts else 0 : ends[-1] if ends else None]
    return iter(lines[round(piece.begin * len(lines)) : round(piece.end * len(lines))])


def _words(lines: Iterator[str]) -> Iterator[str]:
    """Words, with the marks and apostrophes in them, and signs; the ends of paragraphs."""
    within = False
    for line in lines:
        was_within, within = within, bool(line.strip())
        if was_within and not within:
            yield END
        yield from (match[0] for match in _word().finditer(line))
    if within:
        yield END


@cache
def _word() -> re.Pattern[str]:
    word = rf"\w[\w{marks()}]*"
    return re.compile(rf"{word}(?:['\u2019]{word})*|[^\w\s][{marks()}]*")
