"""Work that training can do without: the status line, curves, videos."""

import logging
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

_log = logging.getLogger(__name__)


class SideWork:
    """Runs work whose failure must not end training; counts the failures of each kind.

    The first failure of a kind is logged as a warning.
    """

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()

    @contextmanager
    def attempt(self, kind: str) -> Generator[None, None, None]:
        """Suppress an error of the block, `SystemExit` included: libraries exit on closed pipes."""
        try:
            yield
        except (Exception, SystemExit) as error:
            self.failures[kind] += 1
            if self.failures[kind] == 1:
                reason = f"{type(error).__name__}: {error}"
                _log.warning("The %s failed, training continues without: %s", kind, reason)

    @property
    def num_failures(self) -> int:
        """Failures so far, of all kinds."""
        return self.failures.total()
