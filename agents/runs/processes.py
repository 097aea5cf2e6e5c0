"""A run whose work is done by other processes: their output and stop requests are files of it."""

import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from agents.runs.stop_signal import StopFile, StopSignal

OUTPUT = "output.txt"
"""File of a run folder during the run: what the processes print, which this process shows."""


def follow(folder: Path, work: Callable[[], int], stop: StopSignal) -> int:
    """Call a function that waits for other processes; returns its result.

    Shows what they print to the run folder, and passes stop requests to them as a file.
    """
    output = folder / OUTPUT
    output.unlink(missing_ok=True)  # a link in a folder from elsewhere could lead to any file
    with (
        output.open("x+") as printed,
        StopFile(folder) as file,
        ThreadPoolExecutor(1) as pool,
    ):
        status = pool.submit(work)
        while not wait([status], timeout=0.5).done:
            print(printed.read(), end="", flush=True)
            if stop.requested:
                file.request()
        print(printed.read(), end="", flush=True)
    output.unlink()
    return status.result()


@contextmanager
def printing_to(folder: Path, is_shown: bool) -> Generator[None]:
    """Print to the run folder in the block, or nowhere."""
    output = folder / OUTPUT if is_shown else Path(os.devnull)
    with output.open("a", buffering=1) as out, redirect_stdout(out), redirect_stderr(out):
        yield
