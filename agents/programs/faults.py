"""Causes faults on purpose and measures what runs make of them."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from agents.cli.command import at_least
from agents.cli.exit_status import OK
from agents.cli.invocation import program_name
from agents.faults.row import Failed, Row
from agents.faults.table import KINDS, write

SOME_FAILED = 1


def main(argv: list[str]) -> int:
    """Measure the kinds of faults that are named; returns the exit status."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the runs it started end too
    names = list(KINDS) if "all" in options.names else options.names
    status = OK
    for name in names:
        kind = KINDS[name]
        count = options.count or (kind.full if options.full else kind.small)
        print(f"{name}: {count} {kind.unit}", flush=True)
        row = _measure(name, count)
        status = status if row.passed else SOME_FAILED
        print(f"  measured: {row.measured}\n  goal: {row.goal}\n  met: {row.passed}", flush=True)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            write(options.out, [(name, row)])
    return status


def _measure(name: str, count: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="f") as folder:
        try:
            return KINDS[name].cause(Path(folder), count)
        except Failed as error:
            print(error, file=sys.stderr)
            reason = str(error).splitlines()[0]
            return Row(f"{count} {KINDS[name].unit}", f"not measured: {reason}", "an end", False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(program_name("faults.py"), description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*KINDS, "all"], metavar="NAME")
    parser.epilog = f"Names: {', '.join(KINDS)}, all."
    parser.add_argument("--count", type=at_least(1), help="how often the fault is caused")
    parser.add_argument("--full", action="store_true", help="as often as the goals say")
    parser.add_argument("--out", type=Path, help="folder for faults.csv and faults.md")
    return parser
