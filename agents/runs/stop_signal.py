"""SIGINT and SIGTERM as a wish to stop at the next safe point; a second one ends it at once."""

import os
import signal
from pathlib import Path
from types import FrameType


class StopSignal:
    """While entered, `requested` tells whether somebody asked the run to stop."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.requested:
            os._exit(128 + number)
        self.requested = True


class StopFile:
    """The same wish told to another process, by a file in a folder that both see."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "stop"

    def request(self) -> None:
        """Ask whoever looks to stop."""
        self._file.touch()

    @property
    def requested(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._file.exists()

    def __enter__(self) -> "StopFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.unlink(missing_ok=True)
