"""A search for good options on Ray Tune: `scripts/sweep.py PLAN --out DIR`."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.benchmark.sweep_plan import FOLDER, read_sweep
from agents.cli.command import CommandError, plain_errors
from agents.cli.invocation import program_name
from agents.cli.yaml_file import find_yaml


def main(argv: list[str]) -> int:
    """Run the trials of a plan and show them, the best first; returns the exit status."""
    parser = argparse.ArgumentParser(program_name("sweep.py"), description=__doc__)
    parser.add_argument("plan", help="a YAML file, or the name of one in configs/sweep")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and the table")
    parser.add_argument("--ray-address", help="of a running cluster; this machine if left out")
    parser.add_argument(
        "--no-ship", action="store_true", help="the nodes of the cluster have Engram installed"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sampled values")
    asked = parser.parse_args(argv)
    with plain_errors(parser.prog, ConnectionError):
        sweep = read_sweep(find_yaml(asked.plan, FOLDER, "sweep"))
        if asked.out.exists() and any(asked.out.iterdir()):
            raise CommandError(f"--out {asked.out} is not empty; give another folder.")
        try:
            from agents.benchmark.sweep import TABLE, run_sweep  # Ray takes a second to import
        except ImportError as error:
            raise CommandError(
                f"a sweep needs Ray Tune: pip install 'engram[cluster]' ({error})."
            ) from None
        rows = run_sweep(sweep, asked.out, asked.ray_address, not asked.no_ship, asked.seed)
        table = Table(*rows[0], box=None)
        for row in rows:
            table.add_row(*("" if value is None else f"{value}" for value in row.values()))
        Console().print(table)
        print(f"{asked.out / TABLE} has the table.")
    return 1 if any(row["error"] for row in rows) else 0
