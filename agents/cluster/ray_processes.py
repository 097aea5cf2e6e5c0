"""Keeps signals to this process's group away from the processes that Ray starts.

`timeout`, a shell's Ctrl-C and process managers signal a whole process group. If Ray's processes
received the signal too they would end before the checkpoint is written, and take this one along.
"""

# pyright: reportUnknownMemberType=false

import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from ray._private import services, utils


class _OwnGroup(services.ConsolePopen):
    """A process of Ray in a process group of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, process_group=0)


@contextmanager
def shielded_from_signals() -> Generator[None, None, None]:
    """Within it, Ray starts its processes in groups of their own.

    Ray also does not replace a handler of SIGTERM that this process has set: its own would end the
    process without a checkpoint.
    """
    with patch.object(services, "ConsolePopen", _OwnGroup):
        handler = signal.getsignal(signal.SIGTERM)
        if handler is signal.SIG_DFL:
            yield
            return
        with patch.object(utils, "set_sigterm_handler"):
            yield
        signal.signal(signal.SIGTERM, handler)  # Ray's C++ part prints a stack and then calls it
