"""Runs that are stopped and continued, as by Ctrl-Z and `fg`, or on a laptop that sleeps."""

import signal
import time
from pathlib import Path
from statistics import fmean

from agents.cli.exit_status import OK
from agents.faults.processes import FAULTY, Program, family, kill
from agents.faults.row import Row

PAUSE_SECONDS = 60.0
"""Longer than the deadline of the run's workers."""
_DEADLINE = 20
_LONGEST = 30.0
"""Seconds in which frames must come again."""


def pauses(folder: Path, count: int) -> Row:
    """Stop the run's own process, and in turn all its processes, and continue them."""
    options = f"{FAULTY} --env.kwargs.seconds 0.01 --workers 2 --worker-deadline {_DEADLINE}"
    seconds: list[float] = []
    with Program(folder, "impala.py", options) as run:
        run.wait_for_updates(10)
        for number in range(count):
            own = run.process.pid
            stopped = family(own) if number % 2 else {own}
            _signal_all(stopped, signal.SIGSTOP)
            frame = run.lines()[-1]["frame"]
            time.sleep(PAUSE_SECONDS)
            _signal_all(stopped, signal.SIGCONT)
            continued = time.monotonic()
            run.wait_for(lambda least=frame + 400: run.lines()[-1]["frame"] > least)
            seconds.append(time.monotonic() - continued)
            time.sleep(_DEADLINE / 2)
        restarts = run.lines()[-1]["workers/restarts"]
        run.process.send_signal(signal.SIGTERM)
        status = run.end()
    return Row(
        f"{count} times stopped for {PAUSE_SECONDS:g} s and continued, in turn the run's process "
        f"and all its processes, with a deadline of {_DEADLINE} s",
        f"400 further frames after {fmean(seconds):.1f} s (at most {max(seconds):.1f}); "
        f"{restarts:g} workers replaced; status {status}",
        f"within {_LONGEST:g} s, 0 replaced, status {OK}",
        max(seconds) <= _LONGEST and not restarts and status == OK,
    )


def _signal_all(processes: set[int], number: int) -> None:
    for process in processes:
        kill(process, number)
