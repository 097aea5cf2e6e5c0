"""Throughput, utilisation and policy lag of a run."""

from collections.abc import Iterable
from statistics import mean

from agents.impala.workers import Workers
from agents.runs.clock import Clock


class SpeedMeter:
    """Measures a run between two reports.

    Args:
        frames: environment steps learned from so far.
        seconds: time that a resumed run took so far.
        cpu_seconds: CPU time that it took so far.
    """

    def __init__(self, frames: int, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        self.clock = Clock(seconds, cpu_seconds)
        self._reported_frames = frames
        self._lags: list[int] = []

    def record_lags(self, lags: Iterable[int]) -> None:
        """Record, for each trajectory of a batch, the updates between its weights and now."""
        self._lags += lags

    def report(
        self, frames: int, workers: Workers, num_dropped: int, num_restarts: int
    ) -> dict[str, float]:
        """Metrics since the last report.

        Args:
            frames: environment steps learned from so far.
            num_dropped: trajectories dropped as too old so far.
            num_restarts: workers that were replaced so far.
        """
        seconds, phases = self.clock.look()
        new_frames = frames - self._reported_frames
        self._reported_frames = frames
        lags, self._lags = self._lags or [0], []
        acting = phases.get("acting", 0.0) / max(1, workers.num_processes)
        return {
            "speed/frames_per_second": new_frames / seconds,
            "speed/learner_utilisation": phases.get("learning", 0.0) / seconds,
            "speed/actor_utilisation": acting / seconds,
            "speed/seconds": self.clock.seconds,
            "speed/cpu_seconds": self.clock.cpu_seconds,
            "lag/mean": mean(lags),
            "lag/max": max(lags),
            "lag/dropped": num_dropped,
            "workers/restarts": num_restarts,
        }
