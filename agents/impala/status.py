"""The state of a training run, as text for the screen."""

from typing import NamedTuple


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
        f"{_count(status.frames)} of {_count(total_frames)} frames",
        f"{speed:,.0f} frames/s",
        f"{_duration(left / speed)} left" if speed > 0 else "time left unknown",
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


def _count(frames: int) -> str:
    """1234567 as 1.23M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if frames >= size:
            return (
                f"{frames / size:.3g}{letter}"
                if frames < 1000 * size
                else f"{frames / size:,.0f}{letter}"
            )
    return str(frames)


def _duration(seconds: float) -> str:
    """3700 seconds as 1 h 01 min."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours / 24:.1f} d"
