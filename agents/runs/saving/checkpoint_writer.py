"""Writes checkpoints in a thread, so that a slow disk does not stop training."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from agents.runs.checkpoint import CheckpointError

Outcome = Path | CheckpointError
"""The folder of a checkpoint, or why it was not written."""


class CheckpointWriter:
    """Writes one checkpoint at a time; the thread that trains starts them and gets the outcomes."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: tuple[Future[Path], Callable[[Outcome], None]] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a checkpoint is being written."""
        self.poll()
        return self._pending is not None

    def start(self, write: Callable[[], Path], then: Callable[[Outcome], None]) -> None:
        """Write a checkpoint, once the one before is written.

        Args:
            write: writes it, in the thread.
            then: takes the outcome, in `poll`, `wait` or `start`.
        """
        self.wait()
        self._pending = self._thread.submit(write), then

    def poll(self) -> None:
        """Pass on the outcome of a checkpoint that is written."""
        if self._pending and self._pending[0].done():
            self.wait()

    def wait(self) -> None:
        """Wait until no checkpoint is being written, and pass on the outcome."""
        if self._pending is None:
            return
        (future, then), self._pending = self._pending, None
        try:
            outcome: Outcome = future.result()
        except CheckpointError as error:
            outcome = error
        then(outcome)
