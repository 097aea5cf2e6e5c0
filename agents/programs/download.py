"""Download data sets: `scripts/download.py NAME ...`."""

from agents.cli.invocation import program_name
from memory.supervised.data import download


def main(argv: list[str]) -> int:
    """Download the named sets; returns the exit status."""
    return download.main(argv, program_name("download.py"))
