"""`docs/add_an_environment.md`, followed literally in a copy without the T-maze."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.literal import ROOT, apply, changes_of, commands_of, copy_repository, run

PAGE = ROOT / "docs" / "add_an_environment.md"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the repository without what the page adds."""
    copy = copy_repository(tmp_path)
    for path, below, text in changes_of(PAGE):
        file = copy / path
        if below is None:
            file.unlink()
        else:
            whole = file.read_text(encoding="utf-8")
            assert text in whole, f"{path} does not hold what {PAGE.name} adds to it"
            file.write_text(whole.replace(text, ""), encoding="utf-8")
    return copy


def test_an_environment_takes_a_module_a_registry_entry_and_a_row() -> None:
    touched = {change.path for change in changes_of(PAGE)}
    assert touched == {"envs/tmaze.py", "envs/__init__.py", "docs/environments.md"}


def test_the_page_holds_the_module_as_it_is() -> None:
    module, *_ = changes_of(PAGE)
    assert module.text == (ROOT / module.path).read_text(encoding="utf-8")


def test_the_environment_is_known_after_the_page_and_not_before(tree: Path) -> None:
    command = [sys.executable, "scripts/impala.py", "--env", "tmaze", "--help"]
    before = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    assert before.returncode == 2 and "no such environment" in before.stderr
    apply(changes_of(PAGE), tree)
    assert "--env.length" in run(["python", *command[1:]], tree)


@pytest.mark.slow
def test_every_command_of_the_page_runs(tree: Path) -> None:
    apply(changes_of(PAGE), tree)
    train, measure, contract, players, film = commands_of(PAGE)
    train[train.index("--frames") + 1] = "4000"
    run(train, tree)
    measure[measure.index("--episodes") + 1] = "20"
    assert "length" in run(measure, tree)
    printed = run(contract, tree)
    assert " passed" in printed and " skipped" not in printed
    assert "oracle" in run(players, tree)
    run(film, tree)
    assert (tree / "runs" / "tmaze.gif").stat().st_size > 1000
    run(["python", "-m", "pytest", "-q", "tests/test_readme.py", "-k", "lists_every"], tree)
