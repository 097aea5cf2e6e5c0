"""How programs are started: by a script of the repository, or by the command `engram`."""

import sys
from pathlib import Path

SUBCOMMANDS = {
    "impala.py": "train",
    "evaluate.py": "evaluate",
    "record.py": "record",
    "play.py": "play",
    "players.py": "players",
    "supervised.py": "supervised",
    "benchmark.py": "benchmark",
    "sweep.py": "sweep",
    "plot.py": "plot",
    "download.py": "download",
    "zoo.py": "zoo",
    "faults.py": "faults",
}
"""The subcommand of `engram` for each script."""

_ROOT = Path(__file__).resolve().parents[2]


def program_name(script: str) -> str:
    """The name for messages: `impala.py`, or `engram train` if it was started so.

    Any other name is returned as it is.
    """
    is_named = script in SUBCOMMANDS and _is_console_command()
    return f"engram {SUBCOMMANDS[script]}" if is_named else script


def shell_command(script: str) -> str:
    """What a user types to start it: `python scripts/impala.py`, or `engram train`."""
    return program_name(script) if _is_console_command() else f"python scripts/{script}"


def process_command(script: str) -> list[str]:
    """The arguments that start it in a process of its own."""
    file = _ROOT / "scripts" / script
    if file.is_file():
        return [sys.executable, str(file)]
    # A wheel has no scripts. -P: a folder named `agents` where the process starts is not ours.
    return [sys.executable, "-P", "-m", "agents", SUBCOMMANDS[script]]


def _is_console_command() -> bool:
    """Whether this process was started by `engram` or by `python -m agents`."""
    started = Path(sys.argv[0])
    return started.stem == "engram" or started.parts[-2:] == ("agents", "__main__.py")
