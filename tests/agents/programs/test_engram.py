"""`engram COMMAND` is the script of that name, and says so in its messages."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from agents.cli import invocation
from agents.programs import engram

ROOT = Path(__file__).parents[3]


@pytest.fixture
def console(monkeypatch):
    """Runs `engram` with arguments in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/engram", *arguments])
        try:
            return engram.main()
        except SystemExit as end:
            return end.code

    return run


def test_every_script_is_a_command_with_one_line_of_help(console, capsys):
    scripts = {path.name for path in (ROOT / "scripts").glob("*.py")}
    assert set(invocation.SUBCOMMANDS) == scripts
    assert console() == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in invocation.SUBCOMMANDS.values())


@pytest.mark.parametrize("command", invocation.SUBCOMMANDS.values())
def test_a_command_names_itself_in_its_help(console, command, capsys):
    assert console(command, "--help") == 0
    assert f"engram {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["train", "evaluate", "supervised", "plot"])
def test_a_command_names_itself_in_its_errors(console, command, capsys):
    assert console(command, "--no-such-flag") == 2
    assert f"engram {command}: error: " in capsys.readouterr().err


def test_a_misspelt_command_gets_the_nearest(console, capsys):
    assert console("trin") == 2
    assert "trin: no such command. Did you mean train?" in capsys.readouterr().err


def test_the_version_is_that_of_the_distribution(console, capsys):
    assert console("--version") == 0
    assert capsys.readouterr().out == f"engram {importlib.metadata.version('engram')}\n"


def test_a_script_keeps_its_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scripts/impala.py"])
    assert invocation.program_name("impala.py") == "impala.py"
    assert invocation.shell_command("impala.py") == "python scripts/impala.py"


def test_the_module_is_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(ROOT / "agents" / "__main__.py")])
    assert invocation.shell_command("impala.py") == "engram train"


def test_an_installation_without_scripts_starts_processes_by_its_module(monkeypatch, tmp_path):
    monkeypatch.setattr(invocation, "_ROOT", tmp_path)
    assert invocation.process_command("supervised.py")[1:] == ["-P", "-m", "agents", "supervised"]
