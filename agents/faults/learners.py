"""Learners that are killed."""

import random
import time
from pathlib import Path
from statistics import fmean

from agents.faults.processes import SMALL, Program, descendants, kill
from agents.faults.row import Row
from agents.runs import checkpoint

LONGEST = 60.0
"""Seconds in which a run must make a frame that it had not made before."""


def kill_learners(folder: Path, count: int) -> Row:
    """Kill one of two learners again and again; all start again from the newest checkpoint."""
    draw = random.Random(0)
    seconds: list[float] = []
    options = f"{SMALL} --learners 2 --workers 2 --checkpoint-minutes 0.05"
    with Program(folder, "impala.py", options) as run:
        for _ in range(count):
            before = _saved(run)
            run.wait_for(lambda least=before: len(_learners(run)) == 2 and _saved(run) > least)
            victim = draw.choice(_learners(run))
            kill(victim)
            killed, frame = time.monotonic(), run.lines()[-1]["frame"]
            run.wait_for(lambda lost=victim: _are_two(_learners(run), lost))
            frame = max(frame, _saved(run))
            run.wait_for(lambda least=frame: _saved(run) > least)
            seconds.append(time.monotonic() - killed)
    return Row(
        f"{count} kills of one of two learners",
        f"a checkpoint beyond the last frame after {fmean(seconds):.0f} s (at most "
        f"{max(seconds):.0f})",
        f"within {LONGEST:.0f} s",
        max(seconds) <= LONGEST,
    )


def _learners(run: Program) -> list[int]:
    names = descendants(run.process.pid).items()
    return [number for number, name in names if "RayTrainWorker" in name]


def _are_two(learners: list[int], lost: int) -> bool:
    """Whether all learners have started again after one was lost."""
    return len(learners) == 2 and lost not in learners


def _saved(run: Program) -> int:
    """Frame of the newest checkpoint."""
    path = checkpoint.newest(run.run / "checkpoints")
    return int(path.name) if path else 0
