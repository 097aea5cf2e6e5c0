"""Breaks the code in one place after the other and checks that the named tests notice it.

    python tests/mutants.py [--only TEXT] [--jobs N] [--table FILE]

The mutants are listed in `tests/mutants.yaml`. Each is applied to a temporary copy of the tree, in
which its tests run in a process of their own. Exits with 1 if a mutant survives, if the text that
it replaces is not found exactly once, or if the tests fail without any mutant.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutants.yaml"
FOLDERS = ("agents", "envs", "memory", "scripts", "tests", "configs")
OUTCOMES = {0: "survived", 1: "killed"}
"""By the exit status of `run_tests`."""


class Mutant(NamedTuple):
    """One change that tests must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]
    """Arguments of pytest; all of them together must fail."""


class Result(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    outcome: str
    """`killed`, `survived`, `not found` if the list is out of date, or why no test ran."""
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants with TEXT in the name")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="mutants at a time")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write a Markdown table there")
    options = parser.parse_args()
    mutants = [Mutant(**entry) for entry in yaml.safe_load(LIST.read_text())]
    mutants = [mutant for mutant in mutants if options.only in mutant.name]
    preload()
    unchanged = Mutant("no mutant", "pyproject.toml", "[project]", "[project]", tests_of(mutants))
    results, started = list[Result](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        trees = [copy_tree(Path(temporary) / str(number)) for number in range(options.jobs)]
        for result in try_all([unchanged, *mutants], trees):
            print(f"{result.outcome:10} {result.seconds:5.0f} s  {result.mutant.name}", flush=True)
            results.append(result)
    if any(result.mutant is unchanged and result.outcome != "survived" for result in results):
        print("The tests fail without any mutant; mend them first.", file=sys.stderr)
        return 1
    results = [result for result in results if result.mutant is not unchanged]
    results.sort(key=lambda result: mutants.index(result.mutant))
    killed = sum(result.outcome == "killed" for result in results)
    print(f"{killed} of {len(results)} mutants killed in {time.monotonic() - started:.0f} s")
    if options.table:
        options.table.write_text(table(results, time.monotonic() - started))
    return int(killed < len(results))


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
    """A copy of what tests need; times of change are kept, by which bytecode is known to be new."""
    folder.mkdir()
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


def tests_of(mutants: list[Mutant]) -> list[str]:
    """All tests of mutants, without those in files that do not exist."""
    names = sorted({name for mutant in mutants for name in mutant.tests})
    return [name for name in names if (ROOT / name.partition("::")[0]).exists()]


def try_all(mutants: list[Mutant], trees: list[Path]) -> Iterator[Result]:
    """Try mutants, one at a time in each tree; yields them as they end."""
    waiting, running = list(reversed(mutants)), dict[int, tuple[Mutant, Path, str, float]]()
    while waiting or running:
        while waiting and trees:
            mutant, tree = waiting.pop(), trees.pop()
            text = original_text(mutant, tree)
            if text is None:
                yield Result(mutant, "not found", 0.0)
                trees.append(tree)
                continue
            process = start_mutant(mutant, tree, text)
            running[process] = mutant, tree, text, time.monotonic()
        if running:
            process, status = os.wait()
            mutant, tree, text, begun = running.pop(process)
            write(tree / mutant.file, text)
            trees.append(tree)
            code = os.waitstatus_to_exitcode(status)
            outcome = OUTCOMES.get(code, f"no test ran (pytest ended with {code})")
            yield Result(mutant, outcome, time.monotonic() - begun)


def original_text(mutant: Mutant, tree: Path) -> str | None:
    """The text of the file to change; None if it does not have the old text exactly once."""
    file = tree / mutant.file
    text = file.read_text() if file.exists() else ""
    found = text.count(mutant.old) == 1 and len(tests_of([mutant])) == len(mutant.tests)
    return text if found else None


def start_mutant(mutant: Mutant, tree: Path, text: str) -> int:
    """Apply a mutant and start its tests; returns the number of their process."""
    write(tree / mutant.file, text.replace(mutant.old, mutant.new))
    # Numba does not notice that a function changed which a cached one calls.
    compiled = {"NUMBA_CACHE_DIR": tempfile.mkdtemp(dir=tree)} if "envs/" in mutant.file else {}
    return start(mutant.tests, tree, compiled)


_seconds = time.time()


def write(file: Path, text: str) -> None:
    """Write a file with a time of change of its own: bytecode of another text is not taken."""
    global _seconds
    _seconds += 1
    file.write_text(text)
    os.utime(file, (_seconds, _seconds))


def start(tests: list[str], tree: Path, variables: dict[str, str]) -> int:
    """Run tests in a fork of this process; returns its number."""
    process = os.fork()
    if process == 0:
        os.environ.update(variables)
        os._exit(run_tests(tests, tree))
    return process


def run_tests(tests: list[str], tree: Path) -> int:
    """The exit status of pytest: 0 if all pass, 1 if one fails."""
    import pytest

    os.chdir(tree)
    sys.path.insert(0, str(tree))
    output = os.open(tree / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "timeout=300"]
    status = int(pytest.main([*options, "--basetemp", str(tree / "temporary"), *tests]))
    ours = [sys.modules[name] for name in ("agents", "memory", "envs") if name in sys.modules]
    if not all(Path(module.__path__[0]).is_relative_to(tree) for module in ours):
        return 99  # the tests ran on another tree
    return status


def table(results: list[Result], seconds: float) -> str:
    killed = sum(result.outcome == "killed" for result in results)
    describe = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    lines = [
        "# Mutants",
        "",
        "Each line is a change that breaks the code; the named tests must fail with it.",
        "Made by `make mutants`, from the list in `tests/mutants.yaml`.",
        "",
        f"{killed} of {len(results)} killed in {seconds:.0f} s, commit {commit}, "
        f"{os.cpu_count()} CPU cores.",
        "",
        "| mutant | file | tests | outcome |",
        "|---|---|---|---|",
    ]
    for mutant, outcome, _ in results:
        tests = ", ".join(f"`{name}`" for name in mutant.tests)
        lines.append(f"| {mutant.name} | `{mutant.file}` | {tests} | {outcome} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
