"""`docs/add_a_core.md`, followed literally in a copy of the repository."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.literal import ROOT, Change, apply, changes_of, commands_of, copy_repository, run

PAGE = ROOT / "docs" / "add_a_core.md"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the repository to which the page's core was added."""
    copy = copy_repository(tmp_path)
    apply(changes_of(PAGE), copy)
    return copy


def test_a_core_takes_a_module_a_registry_entry_and_a_row() -> None:
    touched = {change.path for change in changes_of(PAGE)}
    assert touched == {"memory/cores/elman.py", "memory/__init__.py", "docs/cores.md"}


def test_the_added_core_is_an_option_of_the_command_line(tree: Path) -> None:
    printed = run(["python", "scripts/impala.py", "--core", "elman", "--help"], tree)
    assert "--core.hidden" in printed and "Hidden units" in printed


def test_the_page_is_as_ruff_would_write_it(tree: Path) -> None:
    for arguments in (("check",), ("format", "--check")):
        command = [sys.executable, "-m", "ruff", *arguments, "memory"]
        subprocess.run(command, cwd=tree, check=True, capture_output=True)


@pytest.mark.slow
def test_every_command_of_the_page_runs(tree: Path) -> None:
    train, contract, film = commands_of(PAGE)
    run(train, tree)
    printed = run(contract, tree)
    assert " passed" in printed and "skipped" not in printed
    run(film, tree)
    assert (tree / "runs" / "elman.gif").stat().st_size > 1000
    run(["python", "-m", "pytest", "-q", "tests/test_readme.py", "-k", "page_of_cores"], tree)


def test_a_block_without_a_place_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Some code:\n\n```python\nx = 1\n```\n")
    with pytest.raises(ValueError, match=r"page.md: a block follows no sentence"):
        changes_of(page)


def test_a_line_that_is_not_there_and_a_file_that_is_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match=r"a.py has no line 'y = 2'"):
        apply([Change("a.py", "y = 2", "z = 3\n")], tmp_path)
    with pytest.raises(ValueError, match=r"a.py exists already"):
        apply([Change("a.py", None, "z = 3\n")], tmp_path)
