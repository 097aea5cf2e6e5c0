"""Breaks the code in one place after the other and checks that the named tests notice it.

    python scripts/mutants.py [--only TEXT] [--table FILE]

The mutants are listed in `tests/mutants.yaml`. Each is applied to a temporary copy of the tree, in
which its tests run in a process of their own. Exits with 1 if a mutant survives, if the text that
it replaces is not found exactly once, or if the tests fail without any mutant.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutants.yaml"
FOLDERS = ("agents", "envs", "memory", "tests", "configs")


class Mutant(NamedTuple):
    """One change that tests must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]
    """Arguments of pytest; all of them together must fail."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants with TEXT in the name")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write a Markdown table there")
    options = parser.parse_args()
    mutants = [Mutant(**entry) for entry in yaml.safe_load(LIST.read_text())]
    mutants = [mutant for mutant in mutants if options.only in mutant.name]
    preload()
    rows, started = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        tree = copy_tree(Path(temporary))
        if not passes(sorted({test for mutant in mutants for test in mutant.tests}), tree):
            print("The tests fail without any mutant; mend them first.", file=sys.stderr)
            return 1
        for mutant in mutants:
            begun = time.monotonic()
            outcome = try_mutant(mutant, tree)
            rows.append((mutant, outcome))
            print(f"{outcome:10} {time.monotonic() - begun:5.1f} s  {mutant.name}", flush=True)
    killed = sum(outcome == "killed" for _, outcome in rows)
    seconds = time.monotonic() - started
    print(f"{killed} of {len(rows)} mutants killed in {seconds:.0f} s")
    if options.table:
        options.table.write_text(table(rows, seconds))
    return int(killed < len(rows))


def preload() -> None:
    """Import slow libraries once: the processes of the tests are forked from this one."""
    import gymnasium
    import hypothesis
    import pytest
    import ray
    import torch

    del gymnasium, hypothesis, pytest, ray
    torch.set_num_threads(1)


def copy_tree(folder: Path) -> Path:
    """A copy without bytecode, in which a change is always seen."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


def try_mutant(mutant: Mutant, tree: Path) -> str:
    """`killed`, `survived`, or `not found` if the list is out of date."""
    file = tree / mutant.file
    text = file.read_text() if file.exists() else ""
    missing = [name for name in mutant.tests if not (tree / name.partition("::")[0]).exists()]
    if text.count(mutant.old) != 1 or missing:
        return "not found"
    file.write_text(text.replace(mutant.old, mutant.new))
    try:
        return "survived" if passes(mutant.tests, tree) else "killed"
    finally:
        file.write_text(text)


def passes(tests: list[str], tree: Path) -> bool:
    """Whether tests pass in a tree; they run in a fork of this process."""
    child = os.fork()
    if child == 0:
        os._exit(run_tests(tests, tree))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        raise RuntimeError(f"pytest {' '.join(tests)} ended with {code}: it ran no test.")
    return code == 0


def run_tests(tests: list[str], tree: Path) -> int:
    """The exit status of pytest: 0 if all pass, 1 if one fails."""
    import pytest

    os.chdir(tree)
    sys.path.insert(0, str(tree))
    sys.dont_write_bytecode = True
    output = os.open(os.devnull, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    ours = [sys.modules[name] for name in ("agents", "memory", "envs") if name in sys.modules]
    if not all(Path(module.__path__[0]).is_relative_to(tree) for module in ours):
        return 99  # the tests ran on another tree
    return 1 if status == 2 else status  # 2: a module cannot even be imported


def table(rows: list[tuple[Mutant, str]], seconds: float) -> str:
    killed = sum(outcome == "killed" for _, outcome in rows)
    lines = [
        "# Mutants",
        "",
        "Each line is a change that breaks the code; the named tests must fail with it.",
        "Made by `make mutants`, from the list in `tests/mutants.yaml`.",
        "",
        f"{killed} of {len(rows)} killed in {seconds:.0f} s.",
        "",
        "| mutant | file | tests | outcome |",
        "|---|---|---|---|",
    ]
    for mutant, outcome in rows:
        tests = ", ".join(f"`{name}`" for name in mutant.tests)
        lines.append(f"| {mutant.name} | `{mutant.file}` | {tests} | {outcome} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
