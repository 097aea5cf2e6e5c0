"""The state of a training run, as text for the screen."""

from typing import NamedTuple

from agents.runs.progress import count, duration


class Status(NamedTuple):
    """The state of a training run; what is not known yet is None."""

    frames: int
    """Environment steps learned from."""
    frames_per_second: float
    mean_return: float | None
    """Of the last episodes."""
    solved: float | None
    """Share of the last episodes that were solved."""
    policy_lag: float
    """Mean number of updates between the weights that acted and those that learned."""
    learner: float
    """Share of the time in which the learner computed."""
    actors: float | None = None
    """Share of the time in which the workers computed."""
    restarts: int = 0
    """Number of workers restarted so far."""
    loss: float | None = None
    """Weighted sum of all terms, of the last update."""


def progress(status: Status, total_frames: int) -> str:
    """How far the run is: frames, speed and time left."""
    speed = status.frames_per_second
    left = max(0, total_frames - status.frames)
    parts = [
        f"{count(status.frames)} of {count(total_frames)} frames",
        f"{speed:,.0f} frames/s",
        f"{duration(left / speed)} left" if speed > 0 else "time left unknown",
    ]
    return " · ".join(parts)


def condition(status: Status) -> str:
    """How the run performs: returns, loss, lag and utilisation."""
    parts = [
        "return " + ("-" if status.mean_return is None else f"{status.mean_return:.2f}"),
        None if status.solved is None else f"solved {status.solved:.1%}",
        None if status.loss is None else f"loss {status.loss:.3g}",
        f"lag {status.policy_lag:.1f}",
        f"learner {status.learner:.0%}",
        None if status.actors is None else f"actors {status.actors:.0%}",
        f"restarts {status.restarts}" if status.restarts else None,
    ]
    return " · ".join(part for part in parts if part)
