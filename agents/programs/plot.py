"""Learning curves of runs as a figure and a table: `scripts/plot.py RUN ...`."""

import argparse
from pathlib import Path

from agents.benchmark.curves import curve_of, draw, write_table
from agents.cli.command import CommandError, plain_errors
from agents.cli.exit_status import OK
from agents.cli.invocation import program_name
from agents.runs.run import RunError


def main(argv: list[str]) -> int:
    """Plot the runs into one figure, and optionally write one table; returns the exit status."""
    parser = argparse.ArgumentParser(program_name("plot.py"), description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--out", type=Path, required=True, help="figure: .png, .svg or .pdf")
    parser.add_argument("--csv", type=Path, help="the same curves as a table")
    parser.add_argument("--points", type=int, default=120, help="rows of the table per run")
    args = parser.parse_args(argv)
    with plain_errors(parser.prog, RunError):
        curves = {run.name: curve_of(run) for run in args.runs}
        if len({curve.kind.unit for curve in curves.values()}) > 1:
            raise CommandError(
                "runs of agents and of supervised tasks go into figures of their own."
            )
        if args.csv:
            write_table(args.csv, curves, args.points)
        draw(args.out, curves)
    return OK
