"""An error of a learner is tried again once; the second time at the same update it ends the run."""

from pathlib import Path

import pytest

from agents.impala.distributed.learner_failures import LearnerFailures, forget_failures


def attempt(folder: Path, *errors: tuple[int, str, int]) -> LearnerFailures:
    """An attempt whose learners (number, error, update) fail, one after another."""
    failures = LearnerFailures(folder)
    assert failures.repeated is None
    for number, words, update in errors:
        with pytest.raises(ValueError), failures.recorded(number, lambda update=update: update):
            raise ValueError(words)
    return LearnerFailures(folder)


def test_the_same_error_at_the_same_update_ends_the_run_the_second_time(tmp_path: Path) -> None:
    assert attempt(tmp_path, (1, "bad shape", 7)).repeated is None
    repeated = attempt(tmp_path, (1, "bad shape", 7)).repeated
    assert repeated == "learner 1: ValueError: bad shape (at update 7, in 2 attempts in a row)"


@pytest.mark.parametrize(
    "others",
    [[(1, "bad shape", 8)], [(1, "no route", 7)], [(0, "bad shape", 7)], [(1, "no route", 9)]],
)
def test_another_error_or_update_starts_again(
    others: list[tuple[int, str, int]], tmp_path: Path
) -> None:
    attempt(tmp_path, (1, "bad shape", 7))
    assert attempt(tmp_path, *others).repeated is None
    assert attempt(tmp_path, (1, "bad shape", 7)).repeated is None


def test_the_errors_of_learners_that_wait_for_it_are_not_recorded(tmp_path: Path) -> None:
    errors = (1, "bad shape", 7), (0, "connection closed by peer", 7)
    attempt(tmp_path, *errors)
    after = attempt(tmp_path, *errors)
    assert after.repeated and "learner 1: ValueError: bad shape" in after.repeated


def test_a_lost_process_records_nothing_and_the_end_of_a_run_removes_the_file(
    tmp_path: Path,
) -> None:
    attempt(tmp_path, (1, "bad shape", 7))
    attempt(tmp_path)
    failures = attempt(tmp_path, (1, "bad shape", 7))
    assert failures.repeated
    forget_failures(tmp_path)
    assert LearnerFailures(tmp_path).repeated is None and not list(tmp_path.iterdir())
