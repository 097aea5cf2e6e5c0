"""Return and solved rate of a trained agent: `scripts/evaluate.py RUN`."""

from dataclasses import asdict

from agents.cli.command import plain_errors
from agents.cli.console import Output
from agents.cli.exit_status import OK
from agents.evaluation.arguments import (
    add_agent,
    add_measuring,
    check_json,
    parser,
    progress,
    write_json,
)
from agents.evaluation.evaluate import evaluate
from agents.evaluation.saved import load_agent
from agents.evaluation.tables import show
from agents.runs.checkpoint import CheckpointError
from agents.runs.run import RunError


def main(argv: list[str]) -> int:
    """Evaluate a trained agent; returns the exit status."""
    arguments = parser("evaluate.py", "Evaluate a trained agent on fresh levels.")
    add_agent(arguments)
    add_measuring(arguments)
    args = arguments.parse_args(argv)
    with plain_errors(arguments.prog, RunError, CheckpointError):
        check_json(args.json)
        config, policy, frame = load_agent(args.run, best=args.best)
        with progress(args.episodes) as watch:
            evaluation = evaluate(
                policy,
                config.env,
                episodes=args.episodes,
                seed=args.seed,
                greedy=args.greedy,
                max_steps=args.max_steps,
                watch=watch,
            )
        about = {"run": str(args.run), "frame": frame, "env": asdict(config.env)}
        write_json(args.json, {**about, **evaluation.as_dict()})
        show(evaluation, Output(), f"{args.run}, frame {frame:,}{', greedy' * args.greedy}")
    return OK
