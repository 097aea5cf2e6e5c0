"""Terminal output of programs."""

from rich.console import Console


class Output(Console):
    """A Rich console that raises `BrokenPipeError` when its reader has gone, as `print` does.

    Rich exits with status 1 instead.
    """

    def on_broken_pipe(self) -> None:
        """Let the error of the write propagate."""
        raise
