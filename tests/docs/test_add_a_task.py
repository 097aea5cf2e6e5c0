"""`docs/add_a_task.md`, followed literally in a copy of the repository."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.literal import ROOT, apply, changes_of, commands_of, copy_repository, run

PAGE = ROOT / "docs" / "add_a_task.md"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the repository to which the page's task was added."""
    copy = copy_repository(tmp_path)
    apply(changes_of(PAGE), copy)
    return copy


def results_of(tree: Path) -> dict[str, dict[str, float]]:
    """The results of the page's run."""
    return json.loads((tree / "runs" / "parity" / "results.json").read_text())


def test_a_task_takes_a_module_a_registry_entry_and_a_row() -> None:
    touched = {change.path for change in changes_of(PAGE)}
    module, registry = "memory/supervised/tasks/parity.py", "memory/supervised/__init__.py"
    assert touched == {module, registry, "docs/tasks.md"}


def test_the_added_task_trains_and_resumes(tree: Path) -> None:
    train, resume, *_ = commands_of(PAGE)
    train[train.index("--steps") + 1] = "2"
    resume[resume.index("--steps") + 1] = "3"
    run(train, tree)
    assert "test of the best" in run(resume, tree)
    assert results_of(tree)["baselines"] == {"chance": 0.5}


def test_the_page_is_as_ruff_would_write_it(tree: Path) -> None:
    for arguments in (("check",), ("format", "--check")):
        command = [sys.executable, "-m", "ruff", *arguments, "memory"]
        subprocess.run(command, cwd=tree, check=True, capture_output=True)


@pytest.mark.slow
def test_every_command_of_the_page_runs(tree: Path) -> None:
    train, resume, contract, pairs = commands_of(PAGE)
    run(train, tree)
    assert results_of(tree)["test"]["accuracy"] > 0.95
    run(resume, tree)
    for command in (contract, pairs):
        printed = run(command, tree)
        assert " passed" in printed and "skipped" not in printed
    run(["python", "-m", "pytest", "-q", "tests/test_readme.py", "-k", "page_of_tasks"], tree)
