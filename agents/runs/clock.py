"""Where the time goes: seconds in each phase, since the start and since the last look."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Wall time of a run, resumed or not, and of its phases.

    Args:
        seconds: that the run took before, when it is resumed.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._begun = time.perf_counter() - seconds
        self._looked = time.perf_counter()
        self._phases: dict[str, float] = defaultdict(float)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._begun

    @property
    def since_look(self) -> float:
        """Seconds since the last `look`."""
        return time.perf_counter() - self._looked

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Add the time of the block to a phase."""
        begun = time.perf_counter()
        yield
        self.add(phase, time.perf_counter() - begun)

    def add(self, phase: str, seconds: float) -> None:
        """Add time that was measured elsewhere."""
        self._phases[phase] += seconds

    def look(self) -> tuple[float, dict[str, float]]:
        """Seconds since the last look, and how many of them each phase took."""
        seconds, phases = self.since_look, dict(self._phases)
        self._looked = time.perf_counter()
        self._phases.clear()
        return seconds, phases


class Every:
    """True once every so many seconds, at the first time of asking after them.

    Args:
        seconds: None is never.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._last = time.perf_counter()

    def due(self) -> bool:
        """Whether it is time; if so, the time starts again."""
        now = time.perf_counter()
        if self.seconds is None or now - self._last < self.seconds:
            return False
        self._last = now
        return True
