"""What README.md and docs/ tell a reader to type works as written.

The quick tests look at each command without running it: targets exist, scripts exist, every flag is
one that `--help` lists. The slow test is the reader: it trains for a moment, then types the rest.
"""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from agents.cli import invocation

ROOT = Path(__file__).parents[1]
EVERY_PAGE = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Pages that add files are followed in a copy that has them: tests/docs.
PAGES = [page for page in EVERY_PAGE if not page.name.startswith("add_")]
HEADLINE = "python scripts/impala.py --env boxworld --core rmc --actors 100"
RUN = "RUN"  # stands for a run folder in the commands
AGENT = "boxworld-easy-lstm"  # a trained agent that is there
FRAMES = ["--frames", "8000"]  # two unrolls of the headline's actors: 100 x 40 each


def blocks(language: str) -> list[str]:
    """Every fenced block of a language, all pages together."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [b for page in PAGES for b in pattern.findall(page.read_text(encoding="utf-8"))]


def commands() -> list[str]:
    """The lines of the `sh` blocks, comments and continuations resolved, each once."""
    text = "\n".join(blocks("sh")).replace("\\\n", " ")
    lines = (shlex.join(shlex.split(line, comments=True)) for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


COMMANDS = commands()
MAKES = [line for line in COMMANDS if line.split()[0] == "make"]
SCRIPTS = [line for line in COMMANDS if line.startswith(("python scripts/", "engram "))]
NAMES = {command: f"scripts/{name}" for name, command in invocation.SUBCOMMANDS.items()}


def run(*arguments: str | Path, cwd: Path = ROOT) -> str:
    """Run a command to its end and give what it printed; fails with that text."""
    # Wide and plain, so that no flag is broken over two lines or coloured in the middle.
    plain = {"COLUMNS": "240", "NO_COLOR": "1", "TERM": "dumb"}
    result = subprocess.run(
        arguments,
        cwd=cwd,
        env=os.environ | plain,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{arguments}\n{result.stdout[-3000:]}"
    return result.stdout


def script_of(command: str) -> tuple[str, list[str]]:
    """The script of a `python scripts/...` or an `engram ...` line, and its arguments."""
    program, name, *arguments = shlex.split(command)
    return (NAMES[name] if program == "engram" else name), arguments


def script(command: str) -> list[str]:
    """Such a line with this interpreter and the script's full path."""
    name, arguments = script_of(command)
    return [sys.executable, str(ROOT / name), *arguments]


@cache
def flags(name: str, chosen: tuple[str, ...], help_flag: str) -> set[str]:
    """The flags that a script's help names, given the environment and the core chosen."""
    return set(re.findall(r"--[\w.-]+", run(sys.executable, ROOT / name, *chosen, help_flag)))


def chosen(arguments: list[str]) -> tuple[str, ...]:
    """The options that decide which further options there are."""
    if "add" in arguments:  # an action of `zoo`, with options of its own
        return ("add",)
    deciding = {"--env", "--core", "--task"}
    return tuple(word for pair in pairwise(arguments) if pair[0] in deciding for word in pair)


def test_every_shell_line_is_of_a_kind_that_is_checked() -> None:
    kinds = r"make( |$)|python scripts/|engram \w|source \.venv/bin/activate$"
    # Of docs/cluster.md: they need machines, and tests/agents/cluster reads their files.
    kinds += r"|ray |export RAY_|docker build|kubectl "
    assert not [line for line in COMMANDS if not re.match(kinds, line)]


def test_the_first_screen_gives_the_two_commands_and_the_headline() -> None:
    assert {"make", "make test", HEADLINE} <= set(COMMANDS)


def test_make_alone_runs_the_headline() -> None:
    assert HEADLINE.removeprefix("python ") in run("make", "--dry-run")


@pytest.mark.parametrize("command", MAKES)
def test_a_make_target_exists(command: str) -> None:
    assert run(*shlex.split(command), "--dry-run")


@pytest.mark.parametrize("command", SCRIPTS)
def test_a_script_takes_the_flags_it_is_given(command: str) -> None:
    name, arguments = script_of(command)
    given = {word for word in arguments if word.startswith("--")}
    given = {flag for flag in given if not flag.startswith("--env.kwargs.")}  # of any environment
    listed = flags(name, chosen(arguments), "--help")
    if not given <= listed and "--help-all" in listed:
        listed = flags(name, chosen(arguments), "--help-all")
    assert given <= listed


@pytest.mark.parametrize("example", blocks("python"))
def test_a_python_example_runs(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "assert" not in example  # the reader learns nothing from it; check in a test
    exec(compile(example, "README.md", "exec"), {"__name__": "example"})


def first_column(page: str) -> set[str]:
    """The `names` that begin the rows of the first table of a page."""
    table = re.search(r"^\|.*?\n\n", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.M)
    assert table is not None
    _, _, *rows = table.group().splitlines()
    return set(re.findall(r"^\| `([^`]+)`", "\n".join(rows), re.MULTILINE))


def test_the_page_of_the_command_line_lists_every_command() -> None:
    page = (ROOT / "docs/command_line.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `engram (\w+)` \| `(scripts/\w+\.py)` \|", page, re.MULTILINE)
    assert dict(rows) == NAMES


def test_the_page_of_environments_lists_every_environment() -> None:
    names = set(importlib.import_module("envs").ENVS)
    assert first_column("docs/environments.md") == names
    assert first_column("README.md") <= names


def test_the_page_of_cores_lists_every_core() -> None:
    assert first_column("docs/cores.md") == set(importlib.import_module("memory").CORES)


def test_the_page_of_tasks_lists_every_task() -> None:
    assert first_column("docs/tasks.md") == set(importlib.import_module("memory.supervised").TASKS)


def test_the_page_of_data_lists_every_set() -> None:
    sets = importlib.import_module("memory.supervised.data.data_sets").SETS
    assert first_column("docs/data.md") == set(sets)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: page.name)
def test_a_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.slow
def test_a_reader_who_types_every_command_gets_through(tmp_path: Path) -> None:
    run(*script(HEADLINE), *FRAMES, "--run-dir", tmp_path / RUN, cwd=tmp_path)
    shutil.copytree(tmp_path / RUN, tmp_path / "OTHER_RUN")
    for command in SCRIPTS:
        words = shlex.split(command)
        if RUN in words or (AGENT in words and "--resume-weights" not in words):
            more = ["--frames", "16000"] if "--resume" in command else []
            more = ["--folder", str(tmp_path / "zoo")] if "zoo.py add" in command else more
            run(*script(command), *more, cwd=tmp_path)
