"""Writes checkpoints in a thread, so that a slow disk does not stop training."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from agents.runs.checkpoint import CheckpointError

Outcome = Path | CheckpointError
"""The folder of a checkpoint, or why it was not written."""


class CheckpointWriter:
    """Writes one checkpoint after another; the thread that trains starts them and gets the
    outcomes."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: deque[tuple[Future[Path], Callable[[Outcome], None]]] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether a checkpoint is being written."""
        self.poll()
        return bool(self._pending)

    def start(self, write: Callable[[], Path], then: Callable[[Outcome], None]) -> None:
        """Write a checkpoint, once those before are written.

        Args:
            write: writes it, in the thread.
            then: takes the outcome, in `poll` or `wait`.
        """
        self._pending.append((self._thread.submit(write), then))

    def poll(self) -> None:
        """Pass on the outcomes of checkpoints that are written."""
        while self._pending and self._pending[0][0].done():
            self._pass_on()

    def wait(self) -> None:
        """Wait until no checkpoint is being written, and pass on the outcomes."""
        while self._pending:
            self._pass_on()

    def _pass_on(self) -> None:
        future, then = self._pending.popleft()
        try:
            outcome: Outcome = future.result()
        except CheckpointError as error:
            outcome = error
        then(outcome)
