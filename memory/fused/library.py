"""C++ that lies beside a Python module: compiled when first used, and kept."""

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger(__name__)

FLAGS = [
    *("-std=c++17", "-O3", "-march=native", "-fopenmp-simd", "-fno-math-errno"),
    *("-fno-trapping-math", "-fPIC", "-shared", "-pthread"),
]
"""Nothing that would reorder sums or lose a NaN."""


def load(source: Path) -> ctypes.CDLL:
    """The library of a source file, compiled for this machine unless another process has done it.

    It is kept by what goes into it (the sources of the folder, the compiler and all that the
    machine can do) under `ENGRAM_CACHE`, else in `engram` under `XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        RuntimeError: it cannot be had here; says why, in one line.
    """
    try:
        return ctypes.CDLL(str(_find_or_compile(source)))
    except subprocess.CalledProcessError as failure:
        first = next((line for line in failure.stderr.splitlines() if "error" in line), "no reason")
        raise RuntimeError(f"{failure.cmd[0]} does not compile {source.name}: {first}") from failure
    except (OSError, ImportError) as failure:  # ImportError: a system without locks on files
        raise RuntimeError(str(failure)) from failure


def _find_or_compile(source: Path) -> Path:
    command = [_compiler(), *FLAGS]
    # All macros: they tell the compiler's version and each instruction set that it would use.
    target = _run([*command, "-dM", "-E", "-x", "c++", os.devnull])
    sources = [path.read_bytes() for path in sorted(source.parent.glob("*.[ch]*"))]
    key = hashlib.sha256(repr((FLAGS, target, sources)).encode()).hexdigest()[:16]
    library = _folder() / f"{source.stem}-{key}.so"
    if not library.exists():
        with _locked(library.with_suffix(".lock")):
            if not library.exists():  # another process may have held the lock to compile it
                _compile(command, source, library)
    return library


def _compiler() -> str:
    name = os.environ.get("CXX", "c++")
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no C++ compiler: there is no {name}")
    return found


def _folder() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("ENGRAM_CACHE") or Path(caches) / "engram")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _locked(file: Path) -> Generator[None, None, None]:
    """One process at a time; the system unlocks for one that dies."""
    import fcntl

    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _compile(command: list[str], source: Path, library: Path) -> None:
    _log.info("compiling %s for this machine, once: %s", source.name, library)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        made = Path(folder) / library.name
        _run([*command, str(source), "-o", str(made)])
        made.replace(library)  # atomic: no process loads half a library


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
