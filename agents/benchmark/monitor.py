"""Progress of a benchmark: running and waiting runs, and the time left."""

import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agents.benchmark.job import Job, Outcome, length_of, progress_of
from agents.runs.progress import count, duration

INTERVAL = 5.0
"""Seconds between readings of the logs."""
LINE_INTERVAL = 300.0
"""Seconds between lines where there is no terminal."""


class QueueMonitor:
    """Shows a live table on a terminal, else a line at intervals.

    Args:
        jobs: all runs to make.
        processes: number of parallel runs.
    """

    def __init__(self, jobs: Iterable[Job], processes: int, console: Console | None = None) -> None:
        self.lengths = {job: length_of(job) for job in jobs}
        self.frames = {job: progress_of(job)["frame"] for job in self.lengths}
        self.processes = processes
        self.console = console or Console()
        self._running: dict[Job, tuple[float, int]] = {}
        self._speeds: dict[Job, float] = {}
        self._ended: set[Job] = set()
        self._line_due = time.monotonic() + LINE_INTERVAL
        self._live = (
            Live(console=self.console, get_renderable=self._table, refresh_per_second=1 / INTERVAL)
            if self.console.is_terminal
            else None
        )

    def __enter__(self) -> "QueueMonitor":
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

    def started(self, job: Job) -> None:
        """Record that a run is started or resumed."""
        self._running[job] = (time.monotonic(), self.frames[job])
        self._print(f"{job.name}: started at {count(self.frames[job])}")

    def ended(self, outcome: Outcome) -> None:
        """Record the end of a run."""
        job = outcome.job
        self._look(job)
        self._running.pop(job, None)
        self._ended.add(job)
        self._print(f"{job.name}: {f'failed: {outcome.error}' if outcome.error else 'done'}")
        if self._live is None and time.monotonic() > self._line_due:
            self._line_due = time.monotonic() + LINE_INTERVAL
            self._print(self._summary())

    @property
    def seconds_left(self) -> float | None:
        """Seconds left at the speeds measured so far; None if no speed is known."""
        if not self._speeds:
            return None
        usual = sum(self._speeds.values()) / len(self._speeds)
        left = (
            (self.lengths[job] - self.frames[job]) / self._speed_like(job, usual)
            for job in self.lengths
            if job not in self._ended
        )
        return sum(left) / self.processes

    def _speed_like(self, job: Job, usual: float) -> float:
        """Speed of this run, else of one with the same subject and core, else the mean."""
        like = [
            speed
            for other, speed in self._speeds.items()
            if (other.subject, other.core) == (job.subject, job.core)
        ]
        return self._speeds.get(job) or (sum(like) / len(like) if like else usual)

    def _look(self, job: Job) -> None:
        """Read the progress of a run."""
        since, first = self._running.get(job, (time.monotonic(), 0))
        self.frames[job] = progress_of(job)["frame"]
        seconds, made = time.monotonic() - since, self.frames[job] - first
        if made > 0 and seconds > 0:
            self._speeds[job] = made / seconds

    def _table(self) -> Group:
        table = Table("run", "done", "per second", "left", box=None, pad_edge=False)
        for job in list(self._running):
            self._look(job)
            speed = self._speeds.get(job)
            left = self.lengths[job] - self.frames[job]
            table.add_row(
                job.name,
                f"{count(self.frames[job])} of {count(self.lengths[job])}",
                f"{speed:,.0f}" if speed else "-",
                duration(left / speed) if speed else "-",
            )
        return Group(table, Text(self._summary(), style="dim"))

    def _summary(self) -> str:
        seconds = self.seconds_left
        waiting = len(self.lengths) - len(self._ended) - len(self._running)
        end = "" if seconds is None else f" · all done in about {duration(seconds)}"
        return f"{len(self._ended)} done · {len(self._running)} running · {waiting} waiting{end}"

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
