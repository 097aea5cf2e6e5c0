"""A small process beside a run: if the run ends without a word, it says what happened.

Ray ends its driver from within when one of its own processes is lost, and the kernel ends what
needs too much memory. Neither leaves the run time for a message.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_END = b"end"
_WATCH = f"""
import contextlib, os, signal, sys, time
folder, resume, *processes = sys.argv[1:]

def has_ended(number):
    try:
        return open(f"/proc/{{number}}/stat").read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True

if sys.stdin.buffer.read() != {_END!r}:
    names = [name for name, _, number in (x.partition("=") for x in processes) if has_ended(number)]
    cause = " after " + " and ".join(names) + " of Ray had ended" if names else ": it was killed"
    found = sorted((x for x in os.listdir(folder) if x.isdecimal()), key=int)
    saved = (
        f"The newest checkpoint is {{os.path.join(folder, found[-1])}}; resume: {{resume}}"
        if found
        else "There is no checkpoint yet."
    )
    sys.stderr.write(f"error: the run ended without a message{{cause}}. {{saved}}\\n")
    sys.stderr.flush()
    os.close(2)  # whoever reads it need not wait
    number = next((int(n) for name, _, n in (x.partition("=") for x in processes)
                   if name == "raylet"), None)
    for _ in range(100 if number else 0):
        if has_ended(number):
            break
        time.sleep(0.1)
    if number and has_ended(number):
        with contextlib.suppress(OSError):  # there is none left
            os.killpg(number, signal.SIGKILL)
"""
"""Reads its input until the run closes it, at its end or because it is no more."""


class Guard:
    """Watches this process while entered.

    Args:
        checkpoints: folder of the run's checkpoints.
        resume: the command that resumes the run.
        processes: that this one depends on, by name; the message says which of them had ended.
            `raylet` leads a process group: what remains of it, Ray's agents, is ended as well.
    """

    def __init__(self, checkpoints: Path, resume: str, processes: Mapping[str, int]) -> None:
        others = [f"{name}={number}" for name, number in processes.items()]
        arguments = [str(checkpoints), resume, *others]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a signal to the run's group is not for it
        )

    def __enter__(self) -> "Guard":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(_END)
