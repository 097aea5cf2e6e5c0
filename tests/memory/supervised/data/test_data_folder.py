"""Data sets are found, or it is said where they come from; what was made of them is kept."""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from memory.supervised.data import data_folder
from memory.supervised.data.data_folder import MissingData, find_data, key_of, prepared


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No test sees the user's own folders."""
    monkeypatch.setattr(data_folder, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("ENGRAM_DATA", raising=False)
    monkeypatch.delenv("ENGRAM_CACHE", raising=False)


def make():
    return {"numbers": np.arange(6).reshape(2, 3), "word": np.array(["a", "bc"])}


def never():
    raise AssertionError("made again")


def made(arrays):
    return {name: array.tolist() for name, array in arrays.items()} == {
        "numbers": [[0, 1, 2], [3, 4, 5]],
        "word": ["a", "bc"],
    }


def test_a_missing_set_is_named_with_the_places_and_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "named"))
    with pytest.raises(MissingData) as caught:
        find_data("letters", None, "abc.txt")
    message = str(caught.value)
    assert message.startswith("letters: no abc.txt in ")
    for place in ("named/letters", "named", "cache/letters", "cache"):
        assert str(tmp_path / place) in message
    assert "`python scripts/download.py letters`" in message
    assert "--task.data" in message and "ENGRAM_DATA" in message


def test_a_set_is_found_in_the_folder_named_before_the_cache(tmp_path, monkeypatch):
    for place in ("named", "cache"):
        (tmp_path / place / "letters" / "abc").mkdir(parents=True)
    assert find_data("letters", None, "abc") == tmp_path / "cache" / "letters"
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "named"))
    assert find_data("letters", None, "abc") == tmp_path / "named" / "letters"


def test_prepared_arrays_are_made_once(tmp_path):
    assert made(prepared("letters", "k1", make))
    assert made(prepared("letters", "k1", never))
    assert [file.name for file in (tmp_path / "cache/prepared").iterdir()] == ["letters-k1.npz"]


def test_prepared_arrays_lie_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "mine"))
    prepared("letters", "k1", make)
    assert (tmp_path / "mine" / "letters-k1.npz").exists()


@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten", "flipped"])
def test_a_damaged_file_is_made_again_with_a_note(tmp_path, damage):
    prepared("letters", "k1", make)
    file = tmp_path / "cache/prepared/letters-k1.npz"
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "cut": whole[:middle],
            "emptied": b"",
            "overwritten": b"no archive",
            "flipped": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
        }[damage]
    )
    with pytest.warns(UserWarning, match=r"letters-k1\.npz is damaged and is made again"):
        assert made(prepared("letters", "k1", make))
    assert made(prepared("letters", "k1", never))


def test_an_interrupted_save_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepared("letters", "k1", make)
    assert not list((tmp_path / "cache/prepared").iterdir())


def test_a_cache_that_cannot_be_written_is_only_noted(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be kept"):
        assert made(prepared("letters", "k1", make))


def test_the_key_follows_name_size_time_and_version(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one")
    os.utime(file, ns=(1, 1))
    key = key_of([file], "1")
    assert key == key_of([file], "1")
    assert key != key_of([file], "2")
    os.utime(file, ns=(1, 2))
    later = key_of([file], "1")
    file.write_text("three")
    os.utime(file, ns=(1, 2))
    longer = key_of([file], "1")
    other = file.rename(tmp_path / "b.txt")
    assert len({key, later, longer, key_of([other], "1")}) == 4


def test_nothing_is_noted_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared("letters", "k1", make)
        prepared("letters", "k1", never)


def test_a_user_without_a_home_has_a_cache_in_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert data_folder._cache() == Path(tempfile.gettempdir()) / ".cache" / "engram"


def test_a_pipe_in_the_cache_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "cache" / "prepared").mkdir(parents=True)
    os.mkfifo(tmp_path / "cache" / "prepared" / "letters-k1.npz")
    with pytest.warns(UserWarning, match="not a regular file"):
        assert made(prepared("letters", "k1", make))
