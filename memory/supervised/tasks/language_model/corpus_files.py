"""The files of a corpus, and how they are cut into tokens.

A folder has one of these layouts, tried in this order:

* `*.train.tokens`, `*.valid.tokens` and `*.test.tokens`, or `train.txt`, `valid.txt` and `test.txt`
  (WikiText): tokens between blanks, and `<eos>` after every line, blank ones too;
* folders `train`, `valid` (or `validation`) and `test`: of `*.tokens`, shards as above (GigaWord);
  or of `*.txt`, books (Project Gutenberg, split by Rae et al. 2018);
* books, `*.txt` at any depth, not yet split: in the order of the SHA-256 of their names the first
  twentieth, one at least, is the validation, as many after it are the test, the rest is training;
* one `*.txt` alone: the last twentieth of its lines is the test, the one before it the validation.

Books and a file alone are prose: words and marks apart, `<eos>` after each paragraph, and what
Project Gutenberg prints before and after a book is left out. Text is UTF-8; prose that is not is
Latin-1, as the older books of Project Gutenberg are.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from memory.supervised.data.data_folder import MissingData
from memory.supervised.data.text_file import MalformedData, check_regular

Level = Literal["word", "character"]

END = "<eos>"
NAMES = {"train": ("train",), "validation": ("valid", "validation"), "test": ("test",)}
"""What a split is called by files and folders."""
STRANGE = r"[\0\x80-\x9f]"
"""Characters that are in no text, but in files that are none read as Latin-1."""


@dataclass(frozen=True)
class Piece:
    """Lines of a file, from one share of them to another."""

    file: Path
    prose: bool = False
    begin: float = 0.0
    end: float = 1.0


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


def layout_of(folder: Path) -> Layout:
    """Find the text of a corpus.

    Raises:
        MissingData: there is none.
        MalformedData: a split is missing.
    """
    found = {split: _named(folder, names) for split, names in NAMES.items()}
    if any(found.values()):
        for split, pieces in found.items():
            if not pieces:
                names = " or ".join(NAMES[split])
                raise MalformedData(
                    f"{folder}: no file *.{names}.tokens or {names}.txt, and no folder {names} "
                    "with *.tokens or *.txt, beside those of the other splits"
                )
        return Layout(found, published=True)
    books = sorted(folder.rglob("*.txt"))
    if not books:
        raise MissingData(f"{folder}: no text there: no *.tokens, no *.txt")
    return Layout(_cut(books[0]) if len(books) == 1 else _shared_out(books), published=False)


def _named(folder: Path, names: Sequence[str]) -> list[Piece]:
    for name in names:
        files = sorted({*folder.glob(f"*.{name}.tokens"), *folder.glob(f"{name}.txt")})
        if len(files) > 1:
            raise MalformedData(f"{folder}: which is it, {' or '.join(f.name for f in files)}?")
        shards, books = (sorted((folder / name).rglob(f"*.{end}")) for end in ("tokens", "txt"))
        if files or shards:
            return [Piece(file) for file in files or shards]
        if books:
            return [Piece(file, prose=True) for file in books]
    return []


def _cut(file: Path) -> dict[str, list[Piece]]:
    bounds = {"train": (0.0, 0.9), "validation": (0.9, 0.95), "test": (0.95, 1.0)}
    return {split: [Piece(file, True, *share)] for split, share in bounds.items()}


def _shared_out(books: list[Path]) -> dict[str, list[Piece]]:
    if len(books) < 3:
        raise MalformedData(f"{books[0].parent}: {len(books)} books; a split needs 3")
    order = sorted(books, key=lambda book: sha256(book.name.encode()).digest())
    held = -(-len(books) // 20)
    parts = {
        "train": order[2 * held :],
        "validation": order[:held],
        "test": order[held : 2 * held],
    }
    return {split: [Piece(f, True) for f in sorted(files)] for split, files in parts.items()}


def tokens_of(piece: Piece, level: Level) -> Iterator[list[str]]:
    """The tokens of a piece, line by line.

    Raises:
        MalformedData: it has none, is no text, or was cut short.
    """
    lines = _lines(piece)
    if level == "character":
        yield from map(list, lines)
    elif piece.prose:
        yield from _paragraphs(lines)
    else:
        yield from ([*line.split(), END] for line in lines)


def _lines(piece: Piece) -> Iterator[str]:
    """Lines with their ends; those of prose without what is printed around it."""
    if not piece.prose:
        yield from _checked(piece.file, "utf-8", whole_lines=True)
        return
    lines = list(_checked(piece.file, _encoding_of(piece.file), whole_lines=False))
    marks = [re.match(r"\*\*\* ?(START|END) OF", line) for line in lines]
    starts = [at + 1 for at, mark in enumerate(marks) if mark and mark[1] == "START"]
    ends = [at for at, mark in enumerate(marks) if mark and mark[1] == "END"]
    lines = lines[starts[0] if starts else 0 : ends[-1] if ends else None]
    yield from lines[round(piece.begin * len(lines)) : round(piece.end * len(lines))]


def _encoding_of(file: Path) -> str:
    check_regular(file)
    try:
        file.read_bytes().decode()
    except UnicodeDecodeError:
        return "latin-1"
    except OSError as error:
        raise MalformedData(f"{file} cannot be read: {error}") from None
    return "utf-8"


def _checked(file: Path, encoding: str, whole_lines: bool) -> Iterator[str]:
    """Lines of a file, each looked at."""
    number, line = 0, ""
    check_regular(file)
    try:
        with file.open("rb") as opened:
            for number, raw in enumerate(opened, start=1):
                line = raw.removeprefix(BOM_UTF8 if number == 1 else b"").decode(encoding)
                strange = re.search(STRANGE, line)
                if strange:
                    found = f"the control character {strange[0]!r}"
                    raise MalformedData(f"{file}, line {number}: {found}: not text")
                yield line.replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise MalformedData(f"{file}, line {number}: not UTF-8: {error}") from None
    except OSError as error:
        raise MalformedData(f"{file} cannot be read: {error}") from None
    if not number:
        raise MalformedData(f"{file} is empty.")
    if whole_lines and not line.endswith("\n"):
        raise MalformedData(f"{file} ends within line {number}: it was cut short.")


def _paragraphs(lines: Iterator[str]) -> Iterator[list[str]]:
    within = False
    for line in lines:
        words = re.findall(r"\w+(?:['\u2019]\w+)*|[^\w\s]", line)
        if words:
            yield words
        elif within:
            yield [END]
        within = bool(words)
    if within:
        yield [END]
