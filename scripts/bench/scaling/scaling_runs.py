"""Whole runs of `scripts/impala.py` while one of its numbers grows."""

import statistics

from scaling_report import Line
from steady import Ended, watch_training

from agents.cli.command_line import parse
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA

RUNS = {
    "actors": (1, 10, 100, 1_000, 10_000),
    "workers": (0, 1, 2, 4),
    "unroll": (10, 20, 40, 80),
}
RATE = "frames per second"
Flags = tuple[str, ...]
Rates = dict[Flags, list[float]]
"""Frames per second of the successful rounds of each run."""


def watch_all(base: Flags, bound: float, rounds: int, warm_up: float, seconds: float) -> Rates:
    """Measure all runs in turn; the error of a failed run is printed.

    Args:
        base: flags of all.
        bound: frames per second that no run can exceed.
        warm_up: seconds not counted.
        seconds: shortest measurement; longer if not every actor has sent a trajectory.
    """
    rates: Rates = {run_flags(axis, n): [] for axis, values in RUNS.items() for n in values}
    for _ in range(rounds):
        for flags, found in rates.items():
            config = parse([*base, *flags], IMPALA).config
            enough = max(seconds, 1.5 * config.actors * config.unroll / bound)
            try:
                found.append(watch_training([*base, *flags], warm_up, enough).frames_per_second)
                result = f"{found[-1]:,.0f} {RATE}"
            except Ended as error:
                result = str(error)
            print(f"{' '.join(flags)}: {result}", flush=True)
    return rates


def lines_of(rates: Rates, core: str, bound: float) -> list[Line]:
    """Medians of the rounds and the bound, for each axis."""
    lines = []
    for axis, values in RUNS.items():
        found = {n: rates[run_flags(axis, n)] for n in values}
        middle = {n: statistics.median(of) for n, of in found.items() if of}
        if sum(n > 0 for n in middle) > 1:
            figures, level = [*middle.values()], [bound] * len(middle)
            lines.append(Line(axis, "whole run", core, RATE, [*middle], figures, level))
    return lines


def run_flags(axis: str, value: int) -> Flags:
    """Flags of a run in which one number differs from its default."""
    of = {"actors": ImpalaConfig.actors, "workers": ImpalaConfig.workers} | {axis: value}
    of = {"unroll": ImpalaConfig.unroll, "batch": batch(int(of["actors"]))} | of
    return tuple(word for name, number in of.items() for word in (f"--{name}", f"{number}"))


def batch(actors: int) -> int:
    """The default batch, doubled until trajectories of `actors` actors are not too old."""
    size = ImpalaConfig.batch
    while actors > size * ImpalaConfig.max_lag:
        size *= 2
    return size
