"""Exit statuses of every program; `docs/command_line.md` lists them."""

import sys
from contextlib import suppress

from agents.cli.invocation import program_name

OK = 0
BAD_INPUT = 2
NOT_FINITE = 3
ENVIRONMENT_FAILED = 4
WORKERS_LOST = 5
NOT_SAVED = 6
ENVIRONMENT_HANGS = 7
INTERRUPTED = 130


def fail(program: str, error: object, status: int) -> int:
    """Print an error message; returns the status.

    Args:
        program: its script, or its name for messages.
    """
    with suppress(OSError):  # where nobody reads it, the status still counts
        print(f"{program_name(program)}: error: {error}", file=sys.stderr, flush=True)
    return status
