"""Extract members of an archive, and verify files."""

import hashlib
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo, is_zipfile


class Unexpected(ValueError):
    """An archive or a file has unexpected content; the message names both."""


def unpack(archive: Path, take: Mapping[str, str], folder: Path) -> None:
    """Put members of a zip or tar file into a folder; see `data_sets.Archive.take`.

    Raises:
        Unexpected: the archive is damaged, nothing in it matches one of the patterns, or a member
            would be outside of the folder.
    """
    try:
        missing = _take_out(archive, take, folder)
    except (tarfile.TarError, BadZipFile, zlib.error, EOFError) as error:
        raise Unexpected(f"{archive.name} is no whole zip or tar file: {error}") from None
    if missing:
        raise Unexpected(f"{archive.name} has no member like {', '.join(sorted(missing))}")


def _take_out(archive: Path, take: Mapping[str, str], folder: Path) -> set[str]:
    """The patterns that nothing matched."""
    missing = set(take)
    with ExitStack() as stack:
        zips: dict[str, ZipFile] = {}
        for name, member in _members(archive):
            pattern, target = place_of(name, take)
            missing.discard(pattern)
            path, _, inner = target.partition("!")
            if inner and path not in zips:
                zips[path] = stack.enter_context(ZipFile(_place(folder, path), "w"))
            if inner:
                zips[path].writestr(ZipInfo(inner), member.read())
            elif path:
                with _place(folder, path).open("wb") as file:
                    shutil.copyfileobj(member, file)
    return missing


def place_of(name: str, take: Mapping[str, str]) -> tuple[str, str]:
    """The pattern that a member matches, and its place; both empty if it is not taken."""
    for pattern, target in take.items():
        match = re.fullmatch(pattern, name)
        if match:
            return pattern, match.expand(target)
    return "", ""


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of all files in it."""
    if is_zipfile(archive):
        with ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    with zipped.open(info) as member:
                        yield info.filename, member
    else:
        with tarfile.open(archive) as tarred:
            for info in tarred:
                member = tarred.extractfile(info) if info.isfile() else None
                if member:
                    yield PurePosixPath(info.name).as_posix(), member


def _place(folder: Path, path: str) -> Path:
    """The path of a member in the folder."""
    place = folder / path
    if ".." in PurePosixPath(path).parts or not place.is_relative_to(folder):
        raise Unexpected(f"{path} would lie outside of {folder}")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def check(folder: Path, checksums: Mapping[str, str]) -> None:
    """Compare files with their checksums; see `data_checksums`.

    Raises:
        Unexpected: one differs.
    """
    for name, expected in checksums.items():
        kind = expected.rpartition(":")[0]
        found = CHECKSUMS[kind](folder / name)
        if found != expected.rpartition(":")[2]:
            raise Unexpected(f"{name}: {kind or 'SHA-256'} {found}, expected {expected}")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _git(file: Path) -> str:
    contents = file.read_bytes()
    header = b"blob %d\0" % len(contents)
    return hashlib.sha1(header + contents, usedforsecurity=False).hexdigest()


def _of_members(file: Path) -> str:
    with ZipFile(file) as zipped:
        names = zipped.namelist()
        lines = [f"{hashlib.sha256(zipped.read(name)).hexdigest()}  {name}\n" for name in names]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


CHECKSUMS = {"": _sha256, "git": _git, "members": _of_members}
"""Functions that compute a checksum, by its prefix."""
