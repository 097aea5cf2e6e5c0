"""95 % intervals of rates and of means."""

# pyright: reportUnknownMemberType=false

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist, fmean, stdev

import numpy as np

_Z = NormalDist().inv_cdf(0.975)  # half-width of a 95 % interval in standard deviations


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a success rate, good for few trials and for rates near 0 or 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials: expected from 0 to {n}.")
    if n == 0:
        return 0.0, 1.0
    rate, weight = successes / n, _Z**2 / n
    centre = (rate + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(rate * (1 - rate) / n + weight / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean by the normal approximation, for thirty values or more."""
    if len(values) < 2:
        return -math.inf, math.inf
    mean, half = fmean(values), _Z * stdev(values) / math.sqrt(len(values))
    return mean - half, mean + half


def student_interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval by Student's t distribution; nan for one value."""
    from scipy.stats import t  # pyright: ignore[reportMissingTypeStubs]  # of the extra `plot`

    sample = np.array(list(values))
    if len(sample) < 2:
        return float(sample.mean()), float("nan")
    half = t.ppf(0.975, len(sample) - 1) * sample.std(ddof=1) / len(sample) ** 0.5
    return float(sample.mean()), float(half)


def iqm(scores: np.ndarray) -> float:
    """The interquartile mean: the mean of the middle half of all scores.

    Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical
    precipice", section 4.3: a quarter of the scores, rounded down, is left out at each end.
    """
    ordered = np.sort(scores, axis=None)
    cut = int(0.25 * len(ordered))
    return float(ordered[cut : len(ordered) - cut].mean())


def bootstrap_interval(
    scores: np.ndarray, statistic: Callable[[np.ndarray], float] = iqm, samples: int = 2000
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic over runs, stratified by task.

    Source: Agarwal et al. 2021, section 4.1: the runs of each task are resampled with replacement.

    Args:
        scores: `[runs, tasks]`.

    Returns:
        The ends of the interval; infinite for a single run.
    """
    runs, tasks = scores.shape
    if runs < 2:
        return -math.inf, math.inf
    random = np.random.default_rng(0)
    drawn = random.integers(runs, size=(samples, runs, tasks))
    values = [statistic(scores[chosen, np.arange(tasks)]) for chosen in drawn]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
