"""Parallel runs of a benchmark on this machine."""

import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from queue import Queue
from threading import Thread
from types import FrameType

from agents.benchmark.job import Job, Outcome, execute, signal_runs

Started = Callable[[Job], object]
"""Called when a run is started."""


@contextmanager
def stopped_by_signals() -> Generator[None, None, None]:
    """While entered, SIGTERM and SIGHUP are passed on to the runs, and are as Ctrl-C here.

    A terminal sends Ctrl-C to the runs itself. An ignored SIGHUP, as under `nohup`, stays ignored.
    """
    numbers = [signal.SIGTERM, signal.SIGHUP]
    numbers = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(number: int, _: FrameType | None) -> None:
    signal_runs(number)
    raise KeyboardInterrupt


def side_by_side(jobs: Sequence[Job], processes: int, started: Started) -> Iterator[Outcome]:
    """Run jobs in order, `processes` at a time; yields the outcome of each when it ends.

    After Ctrl-C, which a terminal sends to the runs too, it starts none and yields those that run:
    they save a checkpoint and end.

    Raises:
        KeyboardInterrupt: then, or at once after a second Ctrl-C.
    """
    waiting = iter(jobs)
    ended: Queue[Outcome | BaseException] = Queue()

    def start() -> bool:
        job = next(waiting, None)
        if job is None:
            return False
        started(job)
        Thread(target=_run, args=(job, ended), daemon=True).start()
        return True

    running = sum(start() for _ in range(processes))
    interrupt: KeyboardInterrupt | None = None
    while running:
        try:
            outcome = ended.get()
        except KeyboardInterrupt as first:
            if interrupt:
                raise
            print("Waiting for the runs to end; Ctrl-C again does not wait.", file=sys.stderr)
            interrupt = first
            continue
        running -= 1
        if isinstance(outcome, BaseException):
            raise outcome
        yield outcome
        running += interrupt is None and start()
    if interrupt:
        raise interrupt


def _run(job: Job, ended: "Queue[Outcome | BaseException]") -> None:
    try:
        ended.put(execute(job))
    except BaseException as error:
        ended.put(error)
