"""Faults that are caused on purpose, in small numbers."""

import csv
from pathlib import Path

import pytest

from agents.faults import hostile
from agents.faults.row import Row
from agents.faults.soak import slope_per_hour
from agents.faults.table import KINDS, write
from agents.impala.learning.learner import Learner
from agents.programs.faults import main

NEEDS_ROOT = {"disk_full"}


def test_batches_that_are_not_finite_change_nothing(tmp_path: Path) -> None:
    row = hostile.not_finite(tmp_path, 6)
    assert row.passed and row.measured.startswith("6 refused, 0 changed")


def test_a_row_is_not_met_if_the_fault_is_not_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learner, "update", lambda *_: {})
    assert not hostile.not_finite(tmp_path, 3).passed


def test_the_slope_is_that_of_a_line() -> None:
    samples = [{"hours": x / 60, "MB": 5 + 3 * x / 60} for x in range(10)]
    assert slope_per_hour(samples, "MB") == pytest.approx(3)


def test_rows_are_replaced_by_name_and_stand_in_the_order_of_the_kinds(tmp_path: Path) -> None:
    write(tmp_path, [("soak", Row("a|b", "1", "2", False)), ("flips", Row("x", "1", "1", True))])
    write(tmp_path, [("soak", Row("c", "2", "2", True))])
    with (tmp_path / "faults.csv").open(newline="") as file:
        rows = [(row["name"], row["measured"], row["met"]) for row in csv.DictReader(file)]
    assert rows == [("flips", "1", "yes"), ("soak", "2", "yes")]
    assert "| soak | c | 2 | 2 | yes |" in (tmp_path / "faults.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS.keys() - NEEDS_ROOT - {"workers", "soak"})
def test_the_goal_of_each_row_is_met(name: str, tmp_path: Path) -> None:
    assert main([name, "--out", str(tmp_path)]) == 0
