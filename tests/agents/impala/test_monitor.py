"""What a run shows, on a terminal and in a log file."""

import io

from rich.console import Console

from agents.impala.monitor import Monitor, Status

STATUS = Status(
    frames=1_230_000,
    frames_per_second=45_300.4,
    mean_return=3.214,
    solved=0.415,
    policy_lag=1.25,
    learner=0.834,
    actors=0.97,
)


def shown(*statuses: Status, terminal: bool = False, total: int = 1_000_000_000) -> str:
    out = io.StringIO()
    with Monitor(total, console=Console(file=out, force_terminal=terminal, width=100)) as monitor:
        for status in statuses:
            monitor.update(status)
        monitor.note("checkpoint [bold]written")
    return out.getvalue()


def test_a_log_file_has_one_readable_line_per_status() -> None:
    lines = shown(STATUS, STATUS._replace(frames=2_000_000)).splitlines()
    assert lines[0] == (
        "1.23M of 1G frames · 45,300 frames/s · 6 h 07 min left · "
        "return 3.21 · solved 41.5% · lag 1.2 · learner 83% · actors 97%"
    )
    assert lines[1].startswith("2M of 1G frames") and len(lines) == 3
    assert "\x1b" not in "".join(lines)


def test_messages_stay_and_are_shown_as_they_are() -> None:
    for terminal in (True, False):
        assert "checkpoint [bold]written" in shown(STATUS, terminal=terminal)


def test_a_terminal_has_one_status_in_place_of_the_last() -> None:
    text = shown(STATUS, STATUS, terminal=True)
    assert "1.23M of 1G frames" in text and "return 3.21" in text
    assert "\x1b[1A" in text  # the cursor goes up, over the last status


def test_what_is_not_known_is_left_out() -> None:
    status = Status(10, 0.0, None, None, 0.0, 0.5, None, restarts=2)
    line = shown(status).splitlines()[0]
    assert line == (
        "10 of 1G frames · 0 frames/s · time left unknown · "
        "return - · lag 0.0 · learner 50% · restarts 2"
    )


def test_the_time_left_fits_the_distance() -> None:
    for total, left in ((1_230_000, "0 s"), (2_000_000, "17 s"), (10_000_000, "3 min")):
        assert f" {left} left" in shown(STATUS, total=total)
    assert " 25.5 d left" in shown(STATUS, total=100_000_000_000)
