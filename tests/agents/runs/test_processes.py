"""A run whose work is done by other processes."""

from pathlib import Path

import pytest

from agents.runs.processes import OUTPUT, follow, printing_to
from agents.runs.stop_signal import StopSignal


def test_what_the_processes_print_is_shown_and_their_status_returned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        with printing_to(tmp_path, is_shown=True):
            print("one learner")
        with printing_to(tmp_path, is_shown=False):
            print("another")
        return 7

    assert follow(tmp_path, work, StopSignal()) == 7
    assert capsys.readouterr().out == "one learner\n"
    assert not list(tmp_path.iterdir())


def test_a_link_in_place_of_the_output_leads_nowhere(tmp_path: Path) -> None:
    precious, run = tmp_path / "precious", tmp_path / "run"
    precious.write_text("words")
    run.mkdir()
    (run / OUTPUT).symlink_to(precious)
    assert follow(run, lambda: 0, StopSignal()) == 0
    assert precious.read_text() == "words"
