"""Requests to stop a run at the next safe point, by signal or by file."""

import os
import signal
import time
from pathlib import Path
from types import FrameType

ONE_REQUEST = 1.0
"""Seconds in which a repeated SIGTERM is the same request."""


class Interrupted(RuntimeError):
    """A stop was requested before there was anything to save."""

    def __init__(self) -> None:
        super().__init__("interrupted before training began; nothing was written.")


class StopSignal:
    """While entered, SIGINT, SIGTERM and SIGHUP set `requested`; a second signal exits at once.

    An ignored SIGHUP, as under `nohup`, stays ignored. Several SIGTERM within a second are one
    request: a service manager sends it to every process, and a benchmark to its runs.
    """

    def __init__(self) -> None:
        self.requested = False
        self._first = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def _receive(self, number: int, _: FrameType | None) -> None:
        repeated = number == signal.SIGTERM and time.monotonic() - self._first < ONE_REQUEST
        # SIGHUP comes twice when a shell ends.
        if self.requested and number != signal.SIGHUP and not repeated:
            os._exit(128 + number)
        self._first = self._first or time.monotonic()
        self.requested = True


class StopFile:
    """A stop request to another process, by a file in a shared folder.

    While entered, by the process that requests; what a process that was killed left is removed.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "stop"

    def request(self) -> None:
        """Request a stop."""
        self._file.touch()

    @property
    def requested(self) -> bool:
        """Whether a stop was requested."""
        return self._file.exists()

    def __enter__(self) -> "StopFile":
        self._file.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.unlink(missing_ok=True)
