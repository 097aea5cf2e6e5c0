"""Keeps signals to this process's group away from the processes that Ray starts.

`timeout`, a shell's Ctrl-C and process managers signal a whole process group. If Ray's processes
received the signal too they would end before the checkpoint is written, and take this one along.
"""

# pyright: reportUnknownMemberType=false

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ray._private import services, utils

_DAEMONS = {"raylet/raylet ": "raylet", "gcs/gcs_server ": "gcs_server"}
"""Parts of command lines of the processes without which Ray ends its driver."""


def daemons() -> dict[str, int]:
    """The processes of a Ray that this process started and depends on."""
    found: dict[str, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended meanwhile
            continue
        if parent == os.getpid():
            found |= {n: int(folder.name) for part, n in _DAEMONS.items() if part in command}
    return found


def has_ended(process: int) -> bool:
    """Whether a process has ended, also if nobody has asked for its status yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


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
