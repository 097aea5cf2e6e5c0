"""The rows of a benchmark's report."""

from pathlib import Path
from typing import Any

import pytest

from agents.benchmark.plan import Job
from agents.benchmark.report import report


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
