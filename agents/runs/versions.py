"""What a run ran on: versions of Python, the libraries and this repository."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("engram", "torch", "ray", "numpy", "numba", "gymnasium")


def versions() -> dict[str, Any]:
    """Versions of all that a result depends on, and the command line.

    Without git, or in an installation, the commit is None.
    """
    changed = _git("status", "--porcelain")
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "commit": (_git("rev-parse", "--verify", "HEAD") or "").strip() or None,
        "uncommitted": changed.splitlines() if changed is not None else None,
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "command": sys.argv,
    }


def uncommitted_changes() -> str | None:
    """The repository's `git diff`; None without git or outside a repository."""
    return _git("diff", "HEAD")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    if not (ROOT / ".git").exists():  # an installation may lie inside a repository of others
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
