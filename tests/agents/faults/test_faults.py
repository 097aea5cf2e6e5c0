"""Faults that are caused on purpose, in small numbers."""

import csv
import os
from mmap import ACCESS_READ, MAP_PRIVATE, mmap
from pathlib import Path

import pytest

from agents.faults import hostile
from agents.faults.processes import allocated_mb
from agents.faults.row import Row
from agents.faults.soak import row_of, slope_per_hour
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


def test_memory_that_a_process_allocates_counts_and_pages_of_files_do_not(tmp_path: Path) -> None:
    size = 30_000_000
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    before = allocated_mb(os.getpid())
    with path.open("rb") as file, mmap(file.fileno(), size, access=ACCESS_READ) as pages:
        assert sum(pages[::4096]) > 0
        assert allocated_mb(os.getpid()) - before < 5
    with mmap(-1, size, flags=MAP_PRIVATE) as kept:
        for page in range(0, size, 4096):
            kept[page] = 1
        assert allocated_mb(os.getpid()) - before == pytest.approx(30, abs=5)


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


def test_a_soak_names_what_grows_and_draws_it(tmp_path: Path) -> None:
    samples = [
        {"hours": x / 60, "driver MB": 300.0, "gcs MB": 20.0 + x, "gcs files": 9.0}
        for x in range(30)
    ]
    lines = [{"frame": x, "speed/frames_per_second": 5.0} for x in range(9)]
    row = row_of(samples, lines)
    assert not row.passed and "gcs MB 35 to 49 (+60/h)" in row.measured
    assert row_of([{**sample, "gcs MB": 20.0} for sample in samples], lines).passed
    write(tmp_path, [("soak", row)])
    write(tmp_path, [("flips", Row("x", "1", "1", True))])
    assert (tmp_path / "faults_soak.svg").read_text().startswith("<?xml")
    assert "![soak](faults_soak.svg)" in (tmp_path / "faults.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS.keys() - NEEDS_ROOT - {"workers", "soak"})
def test_the_goal_of_each_row_is_met(name: str, tmp_path: Path) -> None:
    assert main([name, "--out", str(tmp_path)]) == 0
