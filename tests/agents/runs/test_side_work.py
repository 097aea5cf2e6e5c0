"""Work whose failure does not end training."""

import logging
import sys

import pytest

from agents.runs.side_work import SideWork


def test_a_failure_is_said_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    work = SideWork()
    for kind, error in (("film", ValueError("no")), ("film", OSError("no")), ("curve", KeyError())):
        with work.attempt(kind):
            raise error
    with work.attempt("film"):
        pass
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "film failed, training continues without: ValueError: no" in caplog.text
    assert work.num_failures == 3 and work.failures["film"] == 2


def test_an_exit_is_a_failure_and_ctrl_c_is_not() -> None:
    work = SideWork()
    with work.attempt("status line"):
        sys.exit(1)
    with pytest.raises(KeyboardInterrupt), work.attempt("status line"):
        raise KeyboardInterrupt
    assert work.num_failures == 1
