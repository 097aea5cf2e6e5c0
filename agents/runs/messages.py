"""The first and the last lines of a run on the screen."""

import shlex
from pathlib import Path

from agents.cli.invocation import shell_command
from agents.runs.monitor import Monitor
from agents.runs.run import RESULTS, Run

EVALUATE, RECORD, PLOT = "evaluate.py", "record.py", "plot.py"


def command(script: str, *words: object) -> str:
    """What to type to start a program of Engram."""
    return f"{shell_command(script)} {shlex.join(map(str, words))}"


def show_start(monitor: Monitor, what: str, folder: Path, device: str, starting: str) -> None:
    """Say, before anything slow, what is starting and where it will be.

    Args:
        what: the run, in a few words.
        device: where it computes, and with how many weights.
        starting: what takes time now.
    """
    monitor.note(what)
    monitor.table({"run folder": str(folder), "device": device, "starting": starting})


def show_end(monitor: Monitor, run: Run, done: int, total: int, *, watched: bool) -> None:
    """Say what was saved, and the commands that go on from it.

    Args:
        done: frames or steps that the run has done, of `total`.
        watched: whether the run trains an agent, which can be evaluated and recorded.
    """
    program, folder, flag = run.program, run.folder, "--frames" if watched else "--steps"
    more = () if done < total else (flag, 2 * total)
    rows = {"saved": f"{run.newest} ({flag[2:]} {done:,} of {total:,})"}
    if run.best:
        rows["best"] = str(run.best)
    if (folder / RESULTS).is_file():
        rows["results"] = str(folder / RESULTS)
    rows["resume"] = command(program.name, "--resume", folder, *more)
    if watched:
        best = ("--best",) if run.best else ()
        rows["evaluate"] = command(EVALUATE, folder, *best)
        rows["record"] = command(RECORD, folder, *best)
    else:
        rows["plot"] = command(PLOT, folder, "--out", folder / "curve.png")
    monitor.table(rows)
