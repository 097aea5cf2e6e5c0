"""Environments that raise, hang, change shape or leak memory."""

import time
from pathlib import Path

from agents.cli.exit_status import ENVIRONMENT_FAILED, ENVIRONMENT_HANGS, OK
from agents.faults.processes import FAULTY, Program, allocated_mb, descendants, workers_of
from agents.faults.row import Row

CASES = {
    "raises": ("--workers 1", ENVIRONMENT_FAILED, "the emulator is gone"),
    "shape": ("--workers 1", ENVIRONMENT_FAILED, "step"),
    "nan": ("--workers 1", ENVIRONMENT_FAILED, "step"),
    "hangs": ("--workers 0 --worker-deadline 3", ENVIRONMENT_HANGS, "no step was finished"),
}
"""Options, status, and a part of the message, of environments that end a run."""


def environments(folder: Path, count: int) -> Row:
    """Environments that go wrong: the run ends, or replaces the worker if it is asked to."""
    wrong: list[str] = []
    for number in range(count):
        for how, (workers, expected, message) in CASES.items():
            options = f"{FAULTY} --env.kwargs.how {how} {workers}"
            with Program(folder / f"{how}{number}", "impala.py", options) as run:
                status = run.end(90.0)
                if status != expected or message not in run.words:
                    wrong.append(f"{how}: status {status}")
        for how in ("raises", "hangs"):
            wrong += _replaced(folder / f"{how}-replaced{number}", how)
    cases = count * (len(CASES) + 2)
    return Row(
        f"{cases} environments that raise, hang, change shape or return NaN",
        f"{cases - len(wrong)} as expected" + (f"; {', '.join(wrong)}" if wrong else ""),
        "the run ends with its status and a message, or replaces the worker and continues",
        not wrong,
    )


def leaks(folder: Path, count: int) -> Row:
    """An environment that keeps 100 kB of each step: what the worker's memory shows."""
    options = f"{FAULTY} --env.kwargs.how leaks --env.kwargs.seconds 0.01 --workers 1"
    with Program(folder, "impala.py", options) as run:
        run.wait_for_updates(3)
        (worker,) = workers_of(run.process.pid)
        driver = run.process.pid
        before, driver_before = allocated_mb(worker), allocated_mb(driver)
        time.sleep(count)
        grown, driver_grown = allocated_mb(worker) - before, allocated_mb(driver) - driver_before
        run.check()
        del driver, worker
        processes = len(descendants(run.process.pid))
    return Row(
        f"an environment that leaks for {count} s",
        f"the worker grew by {grown:.0f} MB, the driver by {driver_grown:.1f} MB; "
        f"{processes} processes",
        "the worker alone grows, and the run continues",
        grown > 10 * max(1.0, driver_grown),
    )


def _replaced(folder: Path, how: str) -> list[str]:
    """What is wrong with a run that replaces the worker of an environment."""
    options = FAULTY.replace("--frames 1000000000", "--frames 4000")
    options += f" --env.kwargs.how {how} --env.kwargs.marker {folder / 'marker'} --workers 1"
    options += " --on-env-error restart --worker-deadline 3"
    with Program(folder, "impala.py", options) as run:
        status = run.end(120.0)
        restarts = run.lines()[-1]["workers/restarts"] if run.lines() else None
    good = status == OK and restarts == 1
    return [] if good else [f"{how}, replaced: status {status}, {restarts} restarts"]
