"""Scores between chance (0) and perfect (1), so that one table compares cores over all subjects."""

from typing import NamedTuple

import numpy as np

from agents.benchmark.results import Results, Row
from agents.evaluation.intervals import bootstrap_interval, iqm

NAMED = 3
"""Subjects that are named as a core's best and as its worst."""
LEAD = 0.05
"""Smaller differences from the median of the cores are not named."""


class Scale(NamedTuple):
    """The scores of a subject that become 0 and 1."""

    chance: float
    perfect: float


def scale_of(results: Results, subject: str) -> Scale:
    """Chance and a perfect score of a subject.

    A task's chance is the best of its baselines, guesses and fixed rules, or the one that the task
    names (`Task.floor`); perfect is 1, which is also the least perplexity.
    An environment's chance is its random player, and perfect the best of its scripted players and
    published scores.
    """
    baselines = results.baselines[subject]
    if results.of(subject)[0].kind == "environments":
        best = max(results.beside(subject).values(), default=1.0)
        return Scale(baselines.get("random", 0.0), best)
    floor = results.floors.get(subject, max(baselines.values(), default=0.0))
    return Scale(floor, 1.0)


def normalised(results: Results, row: Row) -> float:
    """The score of a run; below 0 where it is worse than chance."""
    chance, perfect = scale_of(results, row.subject)
    return (row.value - chance) / (perfect - chance) if perfect != chance else float("nan")


def matrix(results: Results) -> np.ndarray:
    """Mean over seeds, `[cores, subjects]`; NaN where there is no run."""
    return np.array(
        [[_mean(results, results.of(s, core)) for s in results.subjects] for core in results.cores]
    )


def _mean(results: Results, rows: list[Row]) -> float:
    return float(np.mean([normalised(results, row) for row in rows])) if rows else float("nan")


class Total(NamedTuple):
    """A core over all subjects."""

    core: str
    iqm: float
    interval: tuple[float, float]
    best: list[tuple[str, float]]
    """Subjects where it exceeds the median of the cores most, with its scores; the most first.
    Not those that it has not learned."""
    worst: list[tuple[str, float]]
    """Subjects where it falls short of that median most."""


def totals(results: Results) -> list[Total]:
    """Of each core that has the same number of runs on every subject, the best first.

    A subject whose best scripted player is no better than the random one has no scale: then
    there are no totals.
    """
    means = matrix(results)
    scales = [scale_of(results, subject) for subject in results.subjects]
    if any(chance == perfect for chance, perfect in scales):
        return []
    beside = means - np.nanmedian(means, axis=0)
    found: list[Total] = []
    for core, line, own in zip(results.cores, beside, means, strict=True):
        runs = [results.of(subject, core) for subject in results.subjects]
        if len({len(of) for of in runs}) != 1 or not runs[0]:
            continue
        scores = np.array([[normalised(results, row) for row in of] for of in runs]).T
        found.append(
            Total(
                core,
                iqm(scores),
                bootstrap_interval(scores),
                _first(results.subjects, own, np.where(own > LEAD, line, 0.0)),
                _first(results.subjects, own, -line),
            )
        )
    return sorted(found, key=lambda total: total.iqm, reverse=True)


def _first(subjects: list[str], scores: np.ndarray, ahead: np.ndarray) -> list[tuple[str, float]]:
    """The subjects with the largest lead and their scores."""
    order = [i for i in np.argsort(-ahead)[:NAMED] if ahead[i] > LEAD]
    return [(subjects[i], float(scores[i])) for i in order]
