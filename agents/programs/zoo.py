"""The trained agents that come with Engram: `scripts/zoo.py list`."""

import argparse
import json
from pathlib import Path

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from agents.benchmark.model_card import CARD
from agents.benchmark.zoo_entry import DTYPES, add_entry
from agents.cli.command import at_least, plain_errors
from agents.cli.exit_status import OK
from agents.cli.invocation import program_name
from agents.evaluation.arguments import progress
from agents.impala.program import IMPALA
from agents.runs.checkpoint import CheckpointError
from agents.runs.run import RESULTS, Run, RunError
from agents.runs.zoo import ZOO, zoo_names


def main(argv: list[str]) -> int:
    """List the trained agents, show one, or add one; returns the exit status."""
    args = _parser().parse_args(argv)
    with plain_errors(program_name("zoo.py"), RunError, CheckpointError, OSError):
        args.action(args)
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        program_name("zoo.py"),
        description="Trained agents that come with Engram. Wherever a command takes a run folder, "
        "it takes their names.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the agents with their scores")
    listing.set_defaults(action=_list)
    show = actions.add_parser("show", help="print the card of an agent")
    show.add_argument("name", type=Path, metavar="NAME")
    show.set_defaults(action=_show)
    add = actions.add_parser("add", help="make an entry from a run: evaluate and describe it")
    add.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    add.add_argument("--name", required=True, help="of the entry, such as boxworld-lstm")
    add.add_argument("--best", action="store_true", help="the best checkpoint, not the newest")
    add.add_argument("--dtype", choices=DTYPES, default="float16", help="default: float16")
    add.add_argument("--episodes", type=at_least(2), default=1000, help="default: 1000")
    add.add_argument("--folder", type=Path, default=ZOO, help="where it goes (default: the zoo)")
    add.add_argument("--overwrite", action="store_true", help="replace an entry of that name")
    add.set_defaults(action=_add)
    return parser


def _list(_: argparse.Namespace) -> None:
    table = Table(box=SIMPLE_HEAD)
    for column in ("name", "environment", "core", "frames", "return", "solved"):
        table.add_column(column)
    for name in zoo_names():
        config = yaml.safe_load((ZOO / name / "config.yaml").read_text())
        results = json.loads((ZOO / name / RESULTS).read_text())
        solved = results["test"].get("solved")
        table.add_row(
            name,
            config["env"]["name"],
            config["core"]["name"],
            f"{results['frames']:,}",
            f"{results['test']['return']:.2f}",
            "" if solved is None else f"{solved:.1%}",
        )
    Console().print(table)


def _show(args: argparse.Namespace) -> None:
    folder = Run.open(args.name, IMPALA).folder
    if not (folder / CARD).is_file():
        raise RunError(f"{args.name} has no card; `add` writes one.")
    print((folder / CARD).read_text(), end="")


def _add(args: argparse.Namespace) -> None:
    target = args.folder / args.name
    with progress(args.episodes) as watch:
        add_entry(
            args.run,
            target,
            best=args.best,
            dtype=args.dtype,
            episodes=args.episodes,
            overwrite=args.overwrite,
            watch=watch,
        )
    print(f"{target}: {sum(f.stat().st_size for f in target.rglob('*')) / 1e6:.2f} MB")
