from collections import Counter

import numpy as np
import pytest

from memory.supervised.tasks.babi.generator import TASKS, generate
from tests.memory.supervised.tasks.babi.generator.distance import (
    Counts,
    by_chance,
    counts,
    total_variation,
    vocabulary,
)
from tests.memory.supervised.tasks.babi.generator.lines import stories_of
from tests.memory.supervised.tasks.babi.generator.published import published

QUESTIONS = 1000


@pytest.mark.parametrize("task", TASKS)
def test_stories_are_distributed_like_the_published(task):
    real = stories_of(published(task))[:1000]
    made = stories_of(generate(task, QUESTIONS, np.random.default_rng(9)))
    assert vocabulary(made) == vocabulary(real)
    ours, theirs = counts(made), counts(real)
    assert set(ours) == set(theirs)
    for name, count in ours.items():
        # Questions of one story are alike and so vary more than independent ones would.
        slack = 0.02 + 2 * by_chance(count, theirs[name])
        assert total_variation(count, theirs[name]) <= slack, name


def test_total_variation_is_half_the_sum_of_differences():
    one: Counts = Counter({"a": 3, "b": 1})
    other: Counts = Counter({"a": 1, "c": 1})
    assert total_variation(one, other) == pytest.approx(0.5)
