"""Arguments of the programs that evaluate and record agents."""

import argparse
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from agents.cli.command import CommandError, at_least
from agents.cli.invocation import program_name
from agents.evaluation.evaluate import MAX_STEPS
from agents.runs.atomic import atomic_write


def parser(script: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=program_name(script), description=description, allow_abbrev=False
    )


def add_agent(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the run, as `run`, or one and more, as `runs`; and how its agent acts."""
    if several:
        parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    else:
        parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--best", action="store_true", help="the best checkpoint, not the newest")
    parser.add_argument(
        "--greedy", action="store_true", help="take the most likely action instead of sampling"
    )
    add_seed(parser)


def add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=at_least(0), default=0, help="of the levels and the actions (default: 0)"
    )


def add_measuring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--episodes", type=at_least(1), default=100, help="default: 100")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores to a file")
    add_max_steps(parser)


def add_max_steps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-steps",
        type=at_least(1),
        default=MAX_STEPS,
        metavar="N",
        help="truncate an episode here if the environment has no step limit of its own "
        f"(default: {MAX_STEPS})",
    )


def check_json(file: Path | None) -> None:
    """Refuse, before the evaluation, a file that cannot be written after it."""
    if file is not None and not file.parent.is_dir():
        raise CommandError(f"--json {file}: there is no folder {file.parent}.")
    if file is not None and file.is_dir():
        raise CommandError(f"--json {file} is a folder; name a file.")


def write_json(file: Path | None, content: Mapping[str, Any]) -> None:
    if file is None:
        return
    try:
        atomic_write(file, json.dumps(content, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise CommandError(f"--json {file} cannot be written: {error}") from error


@contextmanager
def progress(episodes: int) -> Generator[Callable[[int], object], None, None]:
    """Show a progress bar on a terminal; yields a function of the number of finished episodes."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("episodes", total=episodes)
        yield lambda count: progress.update(task, completed=count)
