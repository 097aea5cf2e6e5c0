"""What a run shows while it trains: one live status, or plain lines where there is no terminal."""

from types import TracebackType
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

_BAR = 24  # characters of the progress bar


class Status(NamedTuple):
    """How a run does at the moment. What is not known yet is None."""

    frames: int
    """Environment steps learnt from."""
    frames_per_second: float
    mean_return: float | None
    """Of the last episodes."""
    solved: float | None
    """Share of the last episodes that were solved."""
    policy_lag: float
    """Mean updates between the weights that acted and the weights that learnt."""
    learner: float
    """Share of the time that the learner computed."""
    actors: float | None = None
    """Share of the time that the workers computed."""
    restarts: int = 0
    """Workers restarted so far."""
    loss: float | None = None
    """Of the last update, all terms with their weights."""


class Monitor:
    """Shows the status of a run from its first to its last frame.

    Args:
        total_frames: at which the run ends.
        start_frame: at which it begins or goes on.
        console: where to; standard output if left out.
    """

    def __init__(
        self, total_frames: int, start_frame: int = 0, console: Console | None = None
    ) -> None:
        self.total_frames, self.frames = total_frames, start_frame
        self.console = console or Console()
        self._live = (
            Live(Text(), console=self.console, auto_refresh=False)
            if self.console.is_terminal
            else None
        )

    def __enter__(self) -> "Monitor":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, stats: Status) -> None:
        """Show a new status in place of the last, or as one more line."""
        self.frames = stats.frames
        where, how = _progress(stats, self.total_frames), _condition(stats)
        if self._live is None:
            self._line(f"{where} · {how}")
        else:
            done = min(1.0, stats.frames / self.total_frames)
            bar = "━" * round(done * _BAR)
            self._live.update(
                Text.assemble((bar, "green"), ("━" * (_BAR - len(bar)), "dim"), f" {where}\n{how}"),
                refresh=True,
            )

    def note(self, text: str) -> None:
        """Print a message that stays."""
        self._line(text)

    def _line(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _progress(stats: Status, total_frames: int) -> str:
    speed = stats.frames_per_second
    left = max(0, total_frames - stats.frames)
    parts = [
        f"{_count(stats.frames)} of {_count(total_frames)} frames",
        f"{speed:,.0f} frames/s",
        f"{_duration(left / speed)} left" if speed > 0 else "time left unknown",
    ]
    return " · ".join(parts)


def _condition(stats: Status) -> str:
    parts = [
        "return " + ("-" if stats.mean_return is None else f"{stats.mean_return:.2f}"),
        None if stats.solved is None else f"solved {stats.solved:.1%}",
        None if stats.loss is None else f"loss {stats.loss:.3g}",
        f"lag {stats.policy_lag:.1f}",
        f"learner {stats.learner:.0%}",
        None if stats.actors is None else f"actors {stats.actors:.0%}",
        f"restarts {stats.restarts}" if stats.restarts else None,
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
