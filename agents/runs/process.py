"""Settings of a process that must be made before PyTorch is imported."""

import ctypes
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType

from agents.cli.exit_status import INTERRUPTED, fail

LARGEST_KEPT = 1 << 30
"""Largest freed block, in bytes, that is kept for reuse."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of options in glibc's malloc.h."""


def prepare() -> None:
    """Set options of OpenMP, malloc and the output; scripts call this first.

    Threads of OpenMP must not spin while they wait, which slows shared cores down by an order of
    magnitude. Environment variables that the user has set are kept. Characters that a terminal
    does not have are written as question marks. Ctrl-C shows no traceback, also while modules are
    imported.
    """
    sys.excepthook = _show_error
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def run(main: Callable[[list[str]], int], argv: list[str]) -> int:
    """Run a program; returns its status.

    A reader of its output that has gone, as after `| head`, ends it without an error, and Ctrl-C
    ends it with a sentence.
    """
    status = 0
    try:
        status = main(argv)
    except BrokenPipeError:
        pass
    except KeyboardInterrupt:
        status = fail(Path(sys.argv[0]).name, "interrupted.", INTERRUPTED)
    finally:
        _flush_output()
    return status


def _show_error(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


def _flush_output() -> None:
    if sys.stdout is None:  # closed by whoever started the program
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # what is left is discarded, or Python would complain as it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def keep_freed_memory() -> None:
    """Make malloc keep large freed blocks, which glibc returns to the system by default.

    Each update frees and allocates the same few dozen megabytes. To clear their pages again takes
    between a twentieth and half of an update. Does nothing without glibc or if the user has set
    `MALLOC_MMAP_THRESHOLD_`.
    """
    if sys.platform != "linux" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGEST_KEPT)
        set_option(M_TRIM_THRESHOLD, LARGEST_KEPT)
