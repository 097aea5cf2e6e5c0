"""A video of a trained agent: `scripts/record.py RUN`."""

from pathlib import Path

from agents.cli.command import at_least, plain_errors
from agents.cli.exit_status import OK
from agents.evaluation.arguments import add_agent, add_max_steps, parser
from agents.evaluation.saved import load_agent
from agents.evaluation.video import VideoError, check_suffix, film
from agents.runs.checkpoint import CheckpointError
from agents.runs.run import RunError


def main(argv: list[str]) -> int:
    """Record a trained agent; returns the exit status."""
    arguments = parser("record.py", "Record videos of a trained agent.")
    add_agent(arguments)
    arguments.add_argument("--episodes", type=at_least(1), default=1, help="how many (default: 1)")
    arguments.add_argument(
        "--out", type=Path, help="an mp4 or a gif (default: RUN/videos/<frame>.mp4)"
    )
    add_max_steps(arguments)
    args = arguments.parse_args(argv)
    with plain_errors(arguments.prog, RunError, CheckpointError, VideoError):
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
            max_steps=args.max_steps,
            out=out,
        )
        returns = ", ".join(f"{episode.episode_return:g}" for episode in played)
        print(f"{out}: returns {returns}")
    return OK
