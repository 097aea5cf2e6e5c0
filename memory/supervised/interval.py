"""Mean over seeds, with its interval."""

from collections.abc import Iterable

import numpy as np


def interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval after Student; not a number of one value."""
    from scipy.stats import t  # comes with the extra `plot`, which only benches ask for

    sample = np.array(list(values))
    if len(sample) < 2:
        return float(sample.mean()), float("nan")
    half = t.ppf(0.975, len(sample) - 1) * sample.std(ddof=1) / len(sample) ** 0.5
    return float(sample.mean()), float(half)
