"""Parallel runs of a benchmark on this machine."""

import sys
from collections.abc import Callable, Iterator, Sequence
from queue import Queue
from threading import Thread

from agents.benchmark.job import Job, Outcome, execute

Started = Callable[[Job], object]
"""Called when a run is started."""


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
