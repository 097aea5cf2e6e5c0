"""Scores between chance and perfect, and cores over all subjects."""

import numpy as np
import pytest

from agents.benchmark.report.normalised import matrix, normalised, scale_of, totals
from agents.benchmark.results import Results, Row


def row(subject, core, seed, value, kind="tasks"):
    return Row(kind, subject, core, seed, "accuracy", value, 10, 1, 60.0, 30.0, True)


ROWS = [
    *(row("recall", "lstm", seed, value) for seed, value in ((1, 0.4), (2, 0.6))),
    *(row("recall", "none", seed, 0.2) for seed in (1, 2)),
    *(row("boxes", "lstm", seed, 1.0, "environments") for seed in (1, 2)),
    row("boxes", "none", 1, 3.0, "environments"),
]
BASELINES = {
    "recall": {"chance": 0.1, "always the first": 0.2},
    "boxes": {"random": 1.0, "greedy": 2.0, "oracle": 5.0},
}
RESULTS = Results(ROWS, BASELINES, [], {}, [])


def test_a_task_goes_from_chance_to_one_and_an_environment_from_random_to_the_best_player():
    assert scale_of(RESULTS, "recall") == (0.2, 1.0)
    assert scale_of(RESULTS, "boxes") == (1.0, 5.0)
    assert normalised(RESULTS, ROWS[0]) == pytest.approx(0.25)
    assert normalised(RESULTS, ROWS[-1]) == pytest.approx(0.5)


def test_a_task_is_measured_from_the_floor_that_its_results_name():
    results = RESULTS._replace(floors={"recall": 0.15})
    assert scale_of(results, "recall") == (0.15, 1.0)
    perplexities = results._replace(
        baselines={"recall": {"unigram": 600.0, "unigram of half": 900.0}}, floors={"recall": 600.0}
    )
    worse = ROWS[0]._replace(value=750.0)
    assert normalised(perplexities, worse) < 0 < normalised(perplexities, ROWS[0])


def test_the_matrix_has_the_mean_over_seeds():
    expected = np.array([[0.375, 0.0], [0.0, 0.5]])  # [cores, subjects]
    np.testing.assert_allclose(matrix(RESULTS), expected, atol=1e-12)


def test_a_core_with_fewer_seeds_on_one_subject_has_no_total():
    (total,) = totals(RESULTS)
    assert total.core == "lstm" and total.best == [("recall", pytest.approx(0.375))]
    assert total.worst == [("boxes", 0.0)]
    # Scores 0.25, 0.5, 0, 0: the middle half is 0 and 0.25.
    assert total.iqm == pytest.approx(0.125)
    assert total.interval[0] <= total.iqm <= total.interval[1]


def test_three_subjects_with_a_lead_that_can_be_seen_are_named() -> None:
    leads = {"a": 0.3, "b": 0.2, "c": 0.1, "d": 0.06, "e": 0.04, "f": -0.04, "g": -0.1}
    rows = [
        row(name, core, 1, 0.5 + lead)
        for name, lead in leads.items()
        for core, lead in (("best", lead), ("middle", 0.0), ("other", 0.0))
    ]
    rows += [
        row("unlearned", core, 1, -0.5 * (core != "best")) for core in ("best", "middle", "other")
    ]
    leads["unlearned"] = 0.5
    results = Results(rows, {name: {"chance": 0.0} for name in leads}, [], {}, [])
    total = next(total for total in totals(results) if total.core == "best")
    assert [name for name, _ in total.best] == ["a", "b", "c"]
    assert [name for name, _ in total.worst] == ["g"]
