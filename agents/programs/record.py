"""A video of trained agents: `scripts/record.py RUN`."""

import argparse
from pathlib import Path
from typing import Any

from agents.cli.command import CommandError, at_least, plain_errors
from agents.cli.exit_status import OK
from agents.evaluation.arguments import add_agent, add_max_steps, parser
from agents.evaluation.saved import SavedAgent, load_agent, load_progress
from agents.evaluation.video.encoder import VideoError, check_suffix
from agents.evaluation.video.film import film, film_grid, film_progress, film_together
from agents.impala.episodes import Episode
from agents.runs.checkpoint import CheckpointError
from agents.runs.run import RunError
from agents.runs.zoo import output_folder
from envs.config import EnvConfig


def main(argv: list[str]) -> int:
    """Record trained agents; returns the exit status."""
    arguments = parser(
        "record.py",
        "Record videos of a trained agent: the level, what it sees, its action, its value, and "
        "what its memory holds. Several runs are shown side by side on the same levels.",
    )
    _add_arguments(arguments)
    args = arguments.parse_args(argv)
    with plain_errors(arguments.prog, RunError, CheckpointError, VideoError):
        _check(args)
        if args.out:
            check_suffix(args.out)
        agents = [load_agent(run, best=args.best) for run in args.runs]
        out = args.out or _default_out(args, agents[0])
        for title, played in _film(args, agents, out):
            returns = ", ".join(f"{episode.episode_return:g}" for episode in played)
            print(f"{out}{f', {title}' if title else ''}: returns {returns}")
            _report_limit(agents[0].config.env, played, args.max_steps)
    return OK


def _add_arguments(arguments: argparse.ArgumentParser) -> None:
    add_agent(arguments, several=True)
    arguments.add_argument("--episodes", type=at_least(1), default=1, help="how many (default: 1)")
    which = arguments.add_mutually_exclusive_group()
    which.add_argument(
        "--level", type=at_least(0), default=0, metavar="N", help="the first level (default: 0)"
    )
    for flag, value, which_one in (
        ("--best-level", "best", "the highest return"),
        ("--worst", "worst", "the lowest return"),
        ("--first-failure", "first-failure", "a failure: the first"),
    ):
        which.add_argument(
            flag,
            dest="level",
            action="store_const",
            const=value,
            help=f"the level of the first 100 with {which_one}",
        )
    arguments.add_argument(
        "--grid", type=at_least(2), metavar="N", help="an episode on each of N levels, all at once"
    )
    arguments.add_argument(
        "--progress", action="store_true", help="the agent at 1, 10 and 100 %% of its training"
    )
    arguments.add_argument("--no-memory", action="store_true", help="leave the memory out")
    arguments.add_argument(
        "--out", type=Path, help="an mp4 or a gif (default: RUN/videos/<frame>.mp4)"
    )
    add_max_steps(arguments)


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    kinds = {
        "several runs": len(args.runs) > 1,
        f"--grid {args.grid}": args.grid is not None,
        "--progress": args.progress,
        f"--{'best-level' if args.level == 'best' else args.level}": isinstance(args.level, str),
    }
    given = [name for name, is_given in kinds.items() if is_given]
    if len(given) > 1:
        raise CommandError(f"{given[0]} and {given[1]} do not go together; make two videos.")
    if args.grid and (args.level or args.episodes > 1):
        raise CommandError(
            f"--grid {args.grid} shows one episode on each level; leave out --level and --episodes."
        )
    if given and isinstance(args.level, str) and args.episodes > 1:
        raise CommandError(f"{given[0]} chooses one level; leave out --episodes.")


def _default_out(args: argparse.Namespace, agent: SavedAgent) -> Path:
    kind = "grid" if args.grid else "progress" if args.progress else args.level or ""
    names = [f"{agent.frame:012d}", *([str(kind)] if kind else [])]
    if len(args.runs) > 1:
        names += ["beside", *(run.name for run in args.runs[1:])]
    return output_folder(args.runs[0]) / "videos" / f"{'-'.join(names)}.mp4"


def _film(
    args: argparse.Namespace, agents: list[SavedAgent], out: Path
) -> list[tuple[str, list[Episode]]]:
    """Make the video; returns what it shows, with titles."""
    (config, policy, _), *others = agents
    common: dict[str, Any] = {
        "seed": args.seed,
        "greedy": args.greedy,
        "out": out,
        "max_steps": args.max_steps,
    }
    if args.grid:
        return [("", film_grid(policy, config.env, games=args.grid, **common))]
    common |= {"episodes": args.episodes, "level": args.level}
    if args.progress:
        stages = load_progress(args.runs[0])
        titled = [(_title(args.runs[0], stage), stage.policy) for stage in stages]
        return film_progress(titled, config.env, with_memory=not args.no_memory, **common)
    if not others:
        title = _title(args.runs[0], agents[0])
        played = film(policy, config.env, title=title, with_memory=not args.no_memory, **common)
        return [("", played)]
    for run, other in zip(args.runs[1:], others, strict=True):
        if other.config.env != config.env:
            raise CommandError(f"{run} has another environment than {args.runs[0]}.")
    pairs = zip(args.runs, agents, strict=True)
    titled = [(_title(run, agent), agent.policy) for run, agent in pairs]
    return film_together(titled, config.env, **common)


def _title(run: Path, agent: SavedAgent) -> str:
    share = 100 * agent.frame / agent.config.frames
    return f"{run.name}: frame {agent.frame:,} ({share:.3g} % of the run)"


def _report_limit(env: EnvConfig, played: list[Episode], max_steps: int) -> None:
    """Say which episodes did not end by themselves, if the environment has no limit."""
    count = sum(episode.length == max_steps for episode in played)
    if count and env.bounded(max_steps) is not env:
        print(
            f"{count} of {len(played)} episodes did not end within {max_steps:,} steps "
            "(--max-steps), and are shown until then."
        )
