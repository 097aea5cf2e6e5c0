"""Follow a page of `docs/` literally, in a copy of the repository.

A page changes files by fenced blocks. The sentence before a block says which file:

* "Write `PATH`:" makes a new file of the block;
* "In `PATH`, below `LINE`:" inserts the block below the first line that holds LINE.

Its `sh` blocks are commands, typed in the root of the repository.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "*.egg-info", ".*_cache")
BUILT = {"runs", "build", "dist"}
"""Folders of the root that hold results; a package may have a folder of the same name."""
BLOCK = re.compile(
    r"(?:Write|In) `(?P<path>[^`]+)`(?:, below `(?P<below>[^`]+)`)?:\n\n```\w*\n(?P<text>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
COMMANDS = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Change(NamedTuple):
    """What a page asks for in one file."""

    path: str
    below: str | None
    """The line to insert the text below; None for a new file."""
    text: str


def changes_of(page: Path) -> list[Change]:
    """The changes that a page asks for, in order.

    Raises:
        ValueError: a block that is neither a change nor a list of commands.
    """
    text = page.read_text(encoding="utf-8")
    found = [Change(m["path"], m["below"], m["text"]) for m in BLOCK.finditer(text)]
    fences = len(re.findall(r"^```\w+$", text, re.MULTILINE))
    if fences != len(found) + len(COMMANDS.findall(text)):
        raise ValueError(f"{page.name}: a block follows no sentence that says where it goes")
    return found


def commands_of(page: Path) -> list[list[str]]:
    """The commands of a page, each as its words."""
    text = "\n".join(COMMANDS.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    return [words for line in text.splitlines() if (words := shlex.split(line, comments=True))]


def copy_repository(folder: Path) -> Path:
    """A copy of the repository as it stands, to change and run commands in."""

    def left_out(path: str, names: list[str]) -> set[str]:
        return LEFT_OUT(path, names) | (BUILT & set(names) if Path(path) == ROOT else set())

    return Path(shutil.copytree(ROOT, folder / "repository", ignore=left_out, symlinks=True))


def apply(changes: list[Change], tree: Path) -> set[str]:
    """Make the changes; returns the paths of the files touched.

    Raises:
        ValueError: a new file exists already, or a line to insert below does not.
    """
    for path, below, text in changes:
        file = tree / path
        if below is None:
            if file.exists():
                raise ValueError(f"{path} exists already")
            file.write_text(text, encoding="utf-8")
            continue
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        place = next((i for i, line in enumerate(lines) if below in line), None)
        if place is None:
            raise ValueError(f"{path} has no line {below!r}")
        lines.insert(place + 1, text)
        file.write_text("".join(lines), encoding="utf-8")
    return {change.path for change in changes}


def run(command: list[str], tree: Path) -> str:
    """Run a command of a page; returns what it printed, and fails with that text."""
    assert command[0] == "python", f"no command of a page: {shlex.join(command)}"
    plain = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    result = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=tree,
        env=os.environ | plain,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{shlex.join(command)}\n{result.stdout[-3000:]}"
    return result.stdout
