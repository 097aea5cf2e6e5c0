"""Progress of a run on the screen: a live bar on a terminal, plain lines elsewhere."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from agents.runs.side_work import SideWork


class Monitor:
    """Shows how far a run is and how it performs.

    Args:
        total: frames or steps at which the run ends.
        start: frames or steps at which it starts or resumes.
        extra: columns of the bar, after the text.
        console: where to print; standard output by default.
        quiet: print nothing.
    """

    def __init__(
        self,
        total: int,
        start: int = 0,
        *extra: ProgressColumn,
        console: Console | None = None,
        quiet: bool = False,
    ) -> None:
        self.console = console or Console(quiet=quiet)
        text = TextColumn("{task.description}", markup=False, table_column=Column())
        self._progress = Progress(
            BarColumn(24),
            text,
            *extra,
            console=self.console,
            auto_refresh=False,
            disable=not self.console.is_terminal,
        )
        self._bar = self._progress.add_task("", total=total, completed=start)

        self.side_work = SideWork()
        """Counts displays that failed."""

    def __enter__(self) -> "Monitor":
        with self._attempt():
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._attempt():
            self._progress.stop()

    def update(self, done: int, *lines: str) -> None:
        """Show the state of the run.

        Args:
            done: frames or steps so far.
            lines: text beside the bar; a single line where there is no terminal.
        """
        if self.console.is_terminal:
            text = "\n".join(lines)
            with self._attempt():
                self._progress.update(self._bar, completed=done, description=text, refresh=True)
        else:
            self.note(" · ".join(lines))

    def note(self, text: str) -> None:
        """Print a message that stays on the screen."""
        with self._attempt():
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self, rows: Mapping[str, str]) -> None:
        """Print names and values that stay on the screen, one pair a line."""
        width = max(map(len, rows), default=0) + 2
        with self._attempt():
            for name, value in rows.items():
                line = Text(f"{name:<{width}}", "dim").append(value, "not dim")
                self.console.print(line, highlight=False, soft_wrap=True)

    @contextmanager
    def _attempt(self) -> Generator[None, None, None]:
        """Nothing is shown any more after an error: a closed pipe or a lost terminal stays so."""
        before = self.side_work.num_failures
        with self.side_work.attempt("status line"):
            yield
        if self.side_work.num_failures > before:
            self.console.quiet = True
            _discard(self.console.file)


def _discard(stream: IO[str]) -> None:
    """Send what is still buffered nowhere, so that the end of the process does not fail on it."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
