"""The shell completes commands, flags and files by the function of docs/command_line.md."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.literal import ROOT
from tests.test_readme import blocks

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def complete(tmp_path: Path, *words: str) -> list[str]:
    """The completions of the last word."""
    command = tmp_path / "engram"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m agents "$@"\n')
    command.chmod(0o755)
    (function,) = blocks("bash")
    line = " ".join(f"'{word}'" for word in ("engram", *words))
    script = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _engram; echo ${{COMPREPLY[@]}}"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return subprocess.check_output(
        ["bash", "-c", f"{function}\n{script}"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        text=True,
    ).split()


def test_commands_are_completed(tmp_path: Path) -> None:
    assert complete(tmp_path, "ev") == ["evaluate"]
    assert {"train", "zoo"} <= {*complete(tmp_path, "")}


@pytest.mark.slow
def test_flags_are_those_of_the_command_and_of_what_was_named(tmp_path: Path) -> None:
    assert complete(tmp_path, "evaluate", "--gr") == ["--greedy"]
    assert "--core.hidden" in complete(tmp_path, "train", "--core", "gru", "--core.")
    assert complete(tmp_path, "train", "--max-l") == ["--max-lag"]


def test_files_are_completed(tmp_path: Path) -> None:
    (tmp_path / "my-run").mkdir()
    assert complete(tmp_path, "evaluate", "my") == ["my-run"]
