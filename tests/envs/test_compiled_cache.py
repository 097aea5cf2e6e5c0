"""Compiled rules need no folder but the temporary one."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copytree

import pytest
from numba.core import config

import envs
from envs import compiled_cache
from envs.compiled_cache import ensure_cache


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder where Numba finds no other."""

    def refuse(**_: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(compiled_cache, "njit", refuse)
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_numba_keeps_the_folder_that_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", "")
    ensure_cache()
    assert getattr(config, "CACHE_DIR") == ""  # noqa: B009


def test_a_private_temporary_folder_is_used_where_numba_finds_none(temporary: Path) -> None:
    own = temporary / f"engram-numba-{os.getuid()}"
    for _ in range(2):  # it is used again
        ensure_cache()
        assert getattr(config, "CACHE_DIR") == str(own)  # noqa: B009
        assert own.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("found", ["open to others", "a link"])
def test_a_folder_that_others_could_have_filled_is_not_used(temporary: Path, found: str) -> None:
    own = temporary / f"engram-numba-{os.getuid()}"
    if found == "a link":
        (temporary / "elsewhere").mkdir(mode=0o700)
        own.symlink_to(temporary / "elsewhere")
    else:
        own.mkdir()
        own.chmod(0o777)
    ensure_cache()
    used = Path(getattr(config, "CACHE_DIR"))  # noqa: B009
    assert used != own and used.parent == temporary and used.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_a_copy_that_cannot_be_written_to_plays(tmp_path: Path) -> None:
    """Nobody can write to a file in a folder's place, the administrator included."""
    copytree(Path(envs.__file__).parent, tmp_path / "envs")
    (tmp_path / "home").write_text("")
    for folder in (tmp_path / "envs", *(tmp_path / "envs").iterdir()):
        if folder.is_dir() and folder.name != "__pycache__":
            subprocess.run(["rm", "-rf", str(folder / "__pycache__")], check=True)
            (folder / "__pycache__").write_text("")
    (tmp_path / "tmp").mkdir()
    code = "import envs, gymnasium; gymnasium.make('TMaze-v0').reset(seed=1); print('played')"
    home = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    environment = os.environ | home | {"TMPDIR": str(tmp_path / "tmp")}
    root = Path(__file__).parents[2]
    environment["PYTHONPATH"] = f"{tmp_path}:{root}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "played\n", done.stderr
    assert list((tmp_path / "tmp" / f"engram-numba-{os.getuid()}").rglob("*.nbc"))
