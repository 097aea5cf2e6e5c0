"""The rows of a benchmark's report."""

from pathlib import Path
from typing import Any

import pytest

from agents.benchmark.plan import Job
from agents.benchmark.report import report
from agents.benchmark.results import Results, Row


@pytest.mark.parametrize(
    ("interval", "written"), [([1.0, 2.00004], ("1.0000", "2.0000")), ([None, None], ("", ""))]
)
def test_an_evaluation_is_a_row_also_without_an_interval(
    interval: list[Any], written: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = {"frame": 40, "levels": 1, "measure": "return", "return": 1.5}
    monkeypatch.setattr(report, "evaluations_of", lambda _: [line | {"return_interval": interval}])
    job = Job("environments", "games", "lstm", 3, (), Path("run"), (1, 1))
    assert list(report.evaluation_rows([job])) == [
        ("games", "lstm", 3, 40, 1, "return", 1.5, *written)
    ]


def test_of_many_runs_without_a_result_the_first_are_named() -> None:
    row = Row("tasks", "recall", "lstm", 1, "accuracy", 1.0, 10, 1, 60.0, 30.0, True)
    missing = [f"run {i}" for i in range(12)]
    *_, note = report.notes_of(Results([row], {"recall": {}}, [], {}, missing))
    assert note.startswith("Runs without a result: run 0, ")
    assert note.endswith("run 9 and 2 more.")
    *_, note = report.notes_of(Results([row], {"recall": {}}, [], {}, missing[:2]))
    assert note == "Runs without a result: run 0, run 1."
