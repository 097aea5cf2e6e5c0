"""Errors that a learner raises while it trains, over the attempts of a run.

Lost processes are replaced and training is attempted again. An error of the program would occur
again at the same update; if it does, the run ends.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents.runs.atomic import atomic_write

FILE = "learner_failure.json"
"""File of a run folder during the run: the error of the last attempt."""
MAX_TIMES = 2
"""Attempts in a row that may end with the same error at the same update."""


def forget_failures(folder: Path) -> None:
    """Remove the file, before the first attempt and after the last."""
    (folder / FILE).unlink(missing_ok=True)


class LearnerFailures:
    """The error of the attempt before, and how often it occurred in a row.

    Args:
        folder: of the run, which all learners share.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._before = self._read()

    @property
    def repeated(self) -> str | None:
        """The error that ends the run; None if there is none."""
        if self._before.get("times", 0) < MAX_TIMES:
            return None
        return (
            f"{self._before['error']} (at update {self._before['update']:,}, in {MAX_TIMES} "
            "attempts in a row)"
        )

    @contextmanager
    def recorded(self, learner: int, updates: Callable[[], int]) -> Generator[None]:
        """Record an error of the block, unless another learner has recorded one.

        The others fail too, since they wait for this one; their errors come later.
        """
        try:
            yield
        except Exception as error:
            if self._read() == self._before:
                self._record(f"learner {learner}: {type(error).__name__}: {error}", updates())
            raise

    def _record(self, error: str, update: int) -> None:
        now = {"error": error, "update": update}
        is_same = now.items() <= self._before.items()
        times = self._before["times"] + 1 if is_same else 1
        atomic_write(self._file, json.dumps(now | {"times": times}))

    def _read(self) -> dict[str, Any]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}
