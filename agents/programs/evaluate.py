"""The commands that look at agents: evaluate one, film one, measure scripted players."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from agents.checkpoint import CheckpointError
from agents.command import CommandError, add_env, at_least, choose_env, plain_errors
from agents.evaluate import evaluate
from agents.evaluation_table import compare, show
from agents.options import nearest
from agents.player import MakeScript
from agents.run import RunError
from agents.saved import load_agent
from agents.scripted import players_of
from agents.video import VideoError, check_suffix, film


def evaluate_main(argv: list[str]) -> int:
    """`scripts/evaluate.py`: return and solved rate of a trained agent."""
    parser = _parser("evaluate.py", "Measure a trained agent on levels it was not trained on.")
    _add_agent(parser)
    _add_measuring(parser)
    args = parser.parse_args(argv)
    with plain_errors(parser.prog, RunError, CheckpointError):
        _check_json(args.json)
        config, policy, frame = load_agent(args.run, best=args.best)
        with _progress(args.episodes) as watch:
            evaluation = evaluate(
                policy,
                config.env,
                episodes=args.episodes,
                seed=args.seed,
                greedy=args.greedy,
                watch=watch,
            )
        show(evaluation, Console(), f"{args.run}, frame {frame:,}{', greedy' * args.greedy}")
        about = {"run": str(args.run), "frame": frame, "env": asdict(config.env)}
        _write_json(args.json, {**about, **evaluation.as_dict()})
    return 0


def record_main(argv: list[str]) -> int:
    """`scripts/record.py`: a film of a trained agent."""
    parser = _parser("record.py", "Film a trained agent: the game, what the agent sees, its score.")
    _add_agent(parser)
    parser.add_argument("--episodes", type=at_least(1), default=1, help="how many (default: 1)")
    parser.add_argument(
        "--out", type=Path, help="an mp4 or a gif (default: RUN/videos/<frame>.mp4)"
    )
    args = parser.parse_args(argv)
    with plain_errors(parser.prog, RunError, CheckpointError, VideoError):
        if args.out:
            check_suffix(args.out)
        config, policy, frame = load_agent(args.run, best=args.best)
        out = args.out or args.run / "videos" / f"{frame:012d}.mp4"
        played = film(
            policy,
            config.env,
            episodes=args.episodes,
            seed=args.seed,
            greedy=args.greedy,
            out=out,
        )
        returns = ", ".join(f"{episode.episode_return:g}" for episode in played)
        print(f"{out}: returns {returns}")
    return 0


def players_main(argv: list[str]) -> int:
    """`scripts/players.py`: the floor and the ceiling beside a learning curve."""
    parser = _parser("players.py", "Measure scripted players of an environment.")
    add_env(parser)
    parser.add_argument("--player", help="which one (default: all there are)")
    _add_seed(parser)
    _add_measuring(parser)
    args, env_flags = parser.parse_known_args(argv)
    with plain_errors(parser.prog):
        _check_json(args.json)
        config = choose_env(parser.prog, args.env, env_flags)
        players = _chosen_players(players_of(config), args)
        with _progress(args.episodes * len(players)) as watch:
            evaluations = {
                name: evaluate(
                    player,
                    config,
                    episodes=args.episodes,
                    seed=args.seed,
                    watch=lambda n, before=number * args.episodes: watch(before + n),
                )
                for number, (name, player) in enumerate(players.items())
            }
        if args.player:
            show(evaluations[args.player], Console(), f"{args.player} on {args.env}")
        else:
            compare(evaluations, Console(), args.env)
        scores = {name: evaluation.as_dict() for name, evaluation in evaluations.items()}
        _write_json(args.json, {"env": asdict(config), "players": scores})
    return 0


def _chosen_players(
    players: dict[str, MakeScript], args: argparse.Namespace
) -> dict[str, MakeScript]:
    if args.player is None:
        return players
    if args.player not in players:
        raise CommandError(
            f"--player {args.player}: {args.env} has no such player. "
            f"{nearest(args.player, players)}"
        )
    return {args.player: players[args.player]}


def _parser(program: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=program, description=description, allow_abbrev=False)


def _add_agent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--best", action="store_true", help="the best checkpoint, not the newest")
    parser.add_argument(
        "--greedy", action="store_true", help="take the likeliest action, do not draw one"
    )
    _add_seed(parser)


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=at_least(0), default=0, help="of the levels and the actions (default: 0)"
    )


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--episodes", type=at_least(1), default=100, help="default: 100")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it there, too")


def _check_json(file: Path | None) -> None:
    """Find out before the work, not after it, that its result has no place to go."""
    if file is not None and not file.parent.is_dir():
        raise CommandError(f"--json {file}: there is no folder {file.parent}.")
    if file is not None and file.is_dir():
        raise CommandError(f"--json {file} is a folder; name a file.")


def _write_json(file: Path | None, content: Mapping[str, Any]) -> None:
    if file is None:
        return
    unfinished = file.with_name(f".unfinished-{file.name}")
    try:
        unfinished.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        unfinished.replace(file)
    except OSError as error:
        raise CommandError(f"--json {file} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _progress(episodes: int) -> Iterator[Callable[[int], object]]:
    """A line on a terminal's standard error that is gone afterwards; takes how many are over."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("episodes", total=episodes)
        yield lambda count: progress.update(task, completed=count)
