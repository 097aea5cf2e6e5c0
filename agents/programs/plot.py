"""Learning curves of runs as a figure and a table: `scripts/plot.py RUN ...`."""

import argparse
import sys
from pathlib import Path

from agents.benchmark.curve_figure import AXES, choose_column, draw, lines_of
from agents.benchmark.curves import curve_of, write_table
from agents.cli.command import CommandError, at_least, plain_errors
from agents.cli.exit_status import OK
from agents.cli.invocation import program_name
from agents.runs.run import RunError


def main(argv: list[str]) -> int:
    """Plot the runs into one figure, and optionally write one table; returns the exit status."""
    parser = argparse.ArgumentParser(program_name("plot.py"), description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--out", type=Path, required=True, help="figure: .png, .svg or .pdf")
    parser.add_argument(
        "--metric", metavar="NAME", help="a name in metrics.jsonl, such as loss/entropy"
    )
    parser.add_argument(
        "--x", nargs="+", choices=AXES, default=["frames", "minutes"], help="default: both"
    )
    parser.add_argument(
        "--smooth", type=at_least(1), default=1, metavar="N", help="average N lines of the log"
    )
    parser.add_argument(
        "--join-seeds",
        action="store_true",
        help="runs that differ in their seeds only become one line, the mean, with a band from "
        "the least to the greatest",
    )
    parser.add_argument("--csv", type=Path, help="the same curves as a table")
    parser.add_argument(
        "--points", type=at_least(1), default=120, help="rows of the table per run (default: 120)"
    )
    args = parser.parse_args(argv)
    with plain_errors(parser.prog, RunError):
        curves = {run: curve_of(run, args.metric) for run in args.runs}
        if len({curve.kind.unit for curve in curves.values()}) > 1:
            raise CommandError(
                "runs of agents and of supervised tasks go into figures of their own."
            )
        column = choose_column([*curves.values()], args.metric)
        for run in [run for run, curve in curves.items() if not curve.has(column)]:
            print(f"{run} has no {column}: it is left out.", file=sys.stderr)
            del curves[run]
        if args.csv:
            named = {run.name: curve for run, curve in curves.items()}
            write_table(args.csv, named, args.points, column)
        draw(args.out, lines_of(curves, join_seeds=args.join_seeds), column, args.x, args.smooth)
    return OK
