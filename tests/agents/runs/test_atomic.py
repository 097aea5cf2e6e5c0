"""Atomic writes: complete or not at all, and flushed to the disk in the right order."""

import os
from pathlib import Path

import pytest

from agents.runs.atomic import atomic_path, atomic_write


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is flushed and renamed, in order."""
    seen: list[tuple[str, str]] = []
    fsync, rename, replace = os.fsync, Path.rename, Path.replace

    def spy_fsync(descriptor: int) -> None:
        seen.append(("flush", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def spy_rename(path: Path, target: Path) -> Path:
        seen.append(("rename", target.name))
        return rename(path, target)

    def spy_replace(path: Path, target: Path) -> Path:
        seen.append(("rename", target.name))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "rename", spy_rename)
    monkeypatch.setattr(Path, "replace", spy_replace)
    return seen


def test_a_file_is_flushed_before_it_is_renamed_and_its_folder_after(tmp_path, events) -> None:
    atomic_write(tmp_path / "a.txt", "new")
    (flushed, _), renamed, folder = events[0], events[1], events[2]
    assert flushed == "flush" and events[0][1].endswith("a.txt")
    assert renamed == ("rename", "a.txt") and folder == ("flush", tmp_path.name)
    assert len(events) == 3


def test_everything_in_a_folder_is_flushed_before_it_is_renamed(tmp_path, events) -> None:
    with atomic_path(tmp_path / "run") as folder:
        (folder / "sub").mkdir(parents=True)
        (folder / "a").write_text("1")
        (folder / "sub" / "b").write_text("2")
    renamed = events.index(("rename", "run"))
    before = {name for kind, name in events[:renamed] if kind == "flush"}
    assert {"a", "b", "sub"} < before and len(before) == 4
    assert events[renamed + 1 :] == [("flush", tmp_path.name)]


def test_an_existing_file_or_folder_is_replaced(tmp_path) -> None:
    for content in ("old", "new"):
        atomic_write(tmp_path / "file", content)
        with atomic_path(tmp_path / "folder") as folder:
            folder.mkdir()
            (folder / content).touch()
    assert (tmp_path / "file").read_text() == "new"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_after_an_error_nothing_has_changed(tmp_path) -> None:
    atomic_write(tmp_path / "file", b"old")
    with pytest.raises(KeyError), atomic_path(tmp_path / "file") as unfinished:
        unfinished.write_text("half")
        raise KeyError
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
