"""The published files, where ENGRAM_DATA names the folder that has them."""

import os
from pathlib import Path

import pytest


def published(task: int) -> list[str]:
    """Lines of the test and the largest training file of a task."""
    folder = os.environ.get("ENGRAM_DATA")
    if not folder:
        pytest.skip("ENGRAM_DATA names no folder with the published files")
    lines = []
    for part in ("train", "test"):
        files = [
            f for s in ("en-10k", "en") for f in Path(folder, "babi", s).glob(name(task, part))
        ]
        if not files:
            pytest.skip(f"no {name(task, part)} in {folder}")
        lines += files[0].read_text("utf-8").splitlines()
    return lines


def name(task: int, part: str) -> str:
    """A pattern for the name of a file."""
    return f"qa{task}_*_{part}.txt"
