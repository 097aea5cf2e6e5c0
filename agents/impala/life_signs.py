"""Signs of life of a group of actors, for another thread that watches it."""

import sys
import time
from pathlib import Path
from threading import get_ident
from typing import NamedTuple


class Sign(NamedTuple):
    """What a group of actors is doing."""

    silence: float
    """Seconds since its last step, or since its unroll began; 0 between unrolls."""
    steps: int
    """Steps of its unroll so far."""
    place: str
    """Function, file and line where it is; empty between unrolls."""

    def __str__(self) -> str:
        if not self.place:
            return "it has finished its unroll"
        return f"step {self.steps + 1} of its unroll takes {self.silence:.0f} s, in {self.place}"


class LifeSigns:
    """The steps of one thread, which acts; any other may look at them."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """An unroll begins, in this thread."""
        self._thread = get_ident()
        self._steps = 0
        self._last = time.monotonic()
        self._acts = True

    def step(self) -> None:
        """A step is finished."""
        self._steps += 1
        self._last = time.monotonic()

    def end(self) -> None:
        """The unroll is finished; what is on the way to the learner is no silence."""
        self._acts = False

    def look(self) -> Sign:
        """What the thread is doing now."""
        if not self._acts:
            return Sign(0.0, self._steps, "")
        return Sign(time.monotonic() - self._last, self._steps, _place(self._thread))


def _place(thread: int) -> str:
    """The innermost call of a thread in Python code."""
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]
    if frame is None:
        return "a thread that has ended"
    code = frame.f_code
    return f"{code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
