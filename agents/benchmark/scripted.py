"""Scores of scripted players, the baselines of a benchmark's environments."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.benchmark.plan import Job, check
from agents.cli.command import CommandError
from agents.evaluation.evaluate import evaluate
from memory.regular_file import read_regular

EPISODES = 1000
LARGEST = 1 << 20
"""Bytes of a file of scores."""


def measure_players(jobs: Sequence[Job], out: Path) -> None:
    """Measure the players of each environment once."""
    for subject, job in {j.subject: j for j in jobs if j.kind == "environments"}.items():
        file = players_file(out, job)
        if file.exists():
            continue
        config = check(job).config.env
        scores = {
            name: _measured(evaluate(player, config, episodes=EPISODES).as_dict())
            for name, player in config.players.items()
        }
        print(f"{subject}: scripted players measured: {', '.join(scores)}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(scores, indent=1) + "\n")


def players_file(out: Path, job: Job) -> Path:
    """File with the scores of an environment's players."""
    return out / job.folder.relative_to(out).parts[0] / "players.json"


def players_of_job(out: Path, job: Job, measure: str) -> dict[str, float]:
    """The players' scores by name, in the measure of the run; empty for a task."""
    file = players_file(out, job)
    if job.kind != "environments" or not file.exists():
        return {}
    try:
        scores = json.loads(read_regular(file, LARGEST))
        return {name: float(s[measure]) for name, s in scores.items() if measure in s}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CommandError(f"{file} is damaged ({error}); remove it and run again.") from None


def _measured(scores: dict[str, Any]) -> dict[str, float]:
    solved = scores["solved"]
    return {"return": scores["return"]["mean"]} | ({"solved": solved["rate"]} if solved else {})
