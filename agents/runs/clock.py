"""Time measurement of a run: in total, per phase, and until something is due."""

import math
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager


class Clock:
    """Wall time of a run, resumed or not, and of its phases.

    Args:
        seconds: that a resumed run took so far.
        cpu_seconds: CPU time that it took so far.
    """

    def __init__(self, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        self._started_cpu = time.process_time() - cpu_seconds
        self._started = time.perf_counter() - seconds
        self._looked = time.perf_counter()
        self._phases: dict[str, float] = defaultdict(float)

    @property
    def seconds(self) -> float:
        """Seconds since the run started."""
        return time.perf_counter() - self._started

    @property
    def cpu_seconds(self) -> float:
        """CPU time of this process since the run started, resumed or not."""
        return time.process_time() - self._started_cpu

    @property
    def since_look(self) -> float:
        """Seconds since the last `look`."""
        return time.perf_counter() - self._looked

    @contextmanager
    def measure(self, phase: str) -> Generator[None, None, None]:
        """Add the time of the block to a phase."""
        started = time.perf_counter()
        yield
        self.add(phase, time.perf_counter() - started)

    def add(self, phase: str, seconds: float) -> None:
        """Add time to a phase that was measured elsewhere."""
        self._phases[phase] += seconds

    def look(self) -> tuple[float, dict[str, float]]:
        """Return the seconds since the last look, in total and in each phase, and reset them."""
        seconds, phases = self.since_look, dict(self._phases)
        self._looked = time.perf_counter()
        self._phases.clear()
        return seconds, phases


class Every:
    """A timer that is due once per interval.

    Args:
        seconds: interval; None is never due.
        at_once: due now, for the first time.
    """

    def __init__(self, seconds: float | None, at_once: bool = False) -> None:
        self.seconds = seconds
        self._last = -math.inf if at_once else time.perf_counter()

    def restart(self) -> None:
        """Begin the interval now."""
        self._last = time.perf_counter()

    def due(self) -> bool:
        """Whether the interval has passed; if so, it starts again."""
        now = time.perf_counter()
        if self.seconds is None or now - self._last < self.seconds:
            return False
        self._last = now
        return True
