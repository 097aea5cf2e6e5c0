"""Measure the scripted players of an environment: `scripts/players.py --env NAME`."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict

from agents.cli.command import CommandError, add_env, choose_env, plain_errors
from agents.cli.console import Output
from agents.cli.exit_status import OK
from agents.cli.options import nearest
from agents.evaluation.arguments import (
    add_measuring,
    add_seed,
    check_json,
    parser,
    progress,
    write_json,
)
from agents.evaluation.evaluate import evaluate
from agents.evaluation.tables import compare, show
from envs.players import MakePlayer


def main(argv: list[str]) -> int:
    """Measure scripted players, the bounds of a learning curve; returns the exit status."""
    arguments = parser("players.py", "Measure scripted players of an environment.")
    add_env(arguments)
    arguments.add_argument("--player", help="which one (default: all)")
    add_seed(arguments)
    add_measuring(arguments)
    args, env_flags = arguments.parse_known_args(argv)
    with plain_errors(arguments.prog):
        check_json(args.json)
        config = choose_env(args.env, env_flags)
        players = _chosen_players(config.players, args)
        with progress(args.episodes * len(players)) as watch:
            evaluations = {
                name: evaluate(
                    player,
                    config,
                    episodes=args.episodes,
                    seed=args.seed,
                    max_steps=args.max_steps,
                    watch=lambda n, before=number * args.episodes: watch(before + n),
                )
                for number, (name, player) in enumerate(players.items())
            }
        scores = {name: evaluation.as_dict() for name, evaluation in evaluations.items()}
        write_json(args.json, {"env": asdict(config), "players": scores})
        if args.player:
            show(evaluations[args.player], Output(), f"{args.player} on {args.env}")
        else:
            compare(evaluations, Output(), args.env)
    return OK


def _chosen_players(
    players: Mapping[str, MakePlayer], args: argparse.Namespace
) -> Mapping[str, MakePlayer]:
    if args.player is None:
        return players
    if args.player not in players:
        raise CommandError(
            f"--player {args.player}: {args.env} has no such player. "
            f"{nearest(args.player, players)}"
        )
    return {args.player: players[args.player]}
