"""What a process would run: a digest of the project's sources, and versions of what they need.

This file runs on nodes without this project, so it uses the standard library only.
"""

import hashlib
import importlib.metadata
import importlib.util
import platform
from functools import cache
from pathlib import Path

PACKAGES = ("agents", "envs", "memory")
"""Packages whose sources make a result."""
SUFFIXES = (".py", ".cpp", ".h")
"""Of the files that are sources."""
LIBRARIES = ("torch", "ray", "numpy")
MISSING = "none"
"""In place of what is not installed."""


@cache
def installation() -> dict[str, str]:
    """A digest of the sources that this process imports, and versions, without importing any.

    It is that of the first call: the sources may be edited while a run trains.
    """
    minor = ".".join(platform.python_version_tuple()[:2])
    return {
        "sources": _digest(),
        "python": minor,
        **{library: _version(library) for library in LIBRARIES},
    }


def differences(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """Each value that differs, with both; empty if none does."""
    return ", ".join(
        f"{name} {theirs.get(name, MISSING)} (here {value})"
        for name, value in ours.items()
        if theirs.get(name, MISSING) != value
    )


def _digest() -> str:
    """The first digits of a SHA-256 of all sources and their paths."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return MISSING
        folder = Path(spec.submodule_search_locations[0])
        for file in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{package}/{file.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:12]


def _version(library: str) -> str:
    """Without the variant: `2.13.0` of `2.13.0+cpu`, since nodes with and without GPUs may differ
    in it."""
    try:
        return importlib.metadata.version(library).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return MISSING
