"""The command `engram`: a subcommand for each program, the same as its script."""

import importlib
import importlib.metadata
import sys

from agents.cli.exit_status import BAD_INPUT, OK, fail
from agents.cli.invocation import SUBCOMMANDS
from agents.cli.options import nearest
from agents.runs.process import prepare, run

_ABOUT = {
    "train": "train an agent with IMPALA",
    "evaluate": "measure a trained agent on fresh levels",
    "record": "record a video of a trained agent",
    "play": "play a game with the keyboard",
    "players": "measure the scripted players of an environment",
    "supervised": "train a core on a supervised task",
    "benchmark": "make many runs from one file, and a report",
    "sweep": "search for good options with Ray Tune",
    "plot": "draw learning curves",
    "download": "download data sets",
    "zoo": "list, show and add trained agents",
    "faults": "cause faults on purpose and measure what runs make of them",
}


def main(argv: list[str] | None = None) -> int:
    """Run a subcommand; returns the exit status."""
    return run(_main, sys.argv[1:] if argv is None else argv)


def _main(argv: list[str]) -> int:
    command, *arguments = argv or ["--help"]
    if command in ("--help", "-h"):
        print(_help())
        return OK
    if command == "--version":
        print(f"engram {importlib.metadata.version('engram')}")
        return OK
    scripts = {name: script for script, name in SUBCOMMANDS.items()}
    if command not in scripts:
        message = f"{command}: no such command. {nearest(command, scripts)}"
        return fail("engram", message, BAD_INPUT)
    prepare()
    module = scripts[command].removesuffix(".py")
    return importlib.import_module(f"agents.programs.{module}").main(arguments)


def _help() -> str:
    rows = (f"  {name:<12}{_ABOUT[name]}" for name in SUBCOMMANDS.values())
    lines = ("usage: engram COMMAND [OPTIONS]", "", *rows, "", "engram COMMAND --help: its options")
    return "\n".join((*lines, "engram --version: the version"))
