"""What a supervised run shows: a bar where there is a terminal, plain lines where there is none."""

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class SupervisedMonitor:
    """Shows a run from its first step to its last.

    Args:
        steps: at which the run ends.
        start: at which it begins or goes on.
        measure: the result of a validation that is shown.
        console: where to; standard output if left out.
    """

    def __init__(
        self, steps: int, start: int, measure: str, console: Console | None = None
    ) -> None:
        self.steps, self.measure, self.console = steps, measure, console or Console()
        columns = (BarColumn(24), TextColumn("{task.description}"), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=self.console, disable=not self.console.is_terminal
        )
        self._bar = self._progress.add_task("", total=steps, completed=start)

    def __enter__(self) -> "SupervisedMonitor":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def update(
        self,
        step: int,
        per_second: float,
        train: Mapping[str, float],
        validation: Mapping[str, float],
    ) -> None:
        """Show how far the run is and how it does."""
        parts = [
            f"step {step:,} of {self.steps:,}",
            f"{per_second:,.1f}/s",
            f"loss {train['train/loss']:.3g}",
            f"accuracy {train['train/accuracy']:.1%}",
        ]
        if validation:
            parts.append(f"validation {self.measure} {validation[self.measure]:.4g}")
        text = " · ".join(parts)
        self._progress.update(self._bar, completed=step, description=text)
        if not self.console.is_terminal:
            self.note(text)

    def note(self, text: str) -> None:
        """Print a message that stays."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
