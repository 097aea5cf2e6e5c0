"""What a run shows, on a terminal and in a log file."""

import io

from rich.console import Console
from rich.progress import TimeRemainingColumn

from agents.runs.monitor import Monitor


def shown(*updates: tuple[int, str, str], terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    with Monitor(1000, 0, TimeRemainingColumn(), console=console) as monitor:
        for done, *lines in updates:
            monitor.update(done, *lines)
        monitor.note("checkpoint [bold]written")
    return out.getvalue()


UPDATES = ((100, "100 of 1000", "loss [2]"), (200, "200 of 1000", "loss [1]"))


def test_a_log_file_has_one_line_per_update() -> None:
    assert shown(*UPDATES).splitlines() == [
        "100 of 1000 · loss [2]",
        "200 of 1000 · loss [1]",
        "checkpoint [bold]written",
    ]


def test_a_terminal_has_one_bar_that_is_drawn_again() -> None:
    text = shown(*UPDATES, terminal=True)
    assert "100 of 1000" in text and "200 of 1000" in text and "loss [1]" in text
    assert "\x1b[1A" in text  # the cursor moves up, over the last update
    assert "━" in text and "-:--:--" in text


def test_messages_stay_and_are_printed_as_they_are() -> None:
    for terminal in (True, False):
        assert "checkpoint [bold]written" in shown(UPDATES[0], terminal=terminal)
