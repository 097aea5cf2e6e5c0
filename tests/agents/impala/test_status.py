"""The text that describes a run on the screen."""

from agents.impala.status import Status, condition, progress

STATUS = Status(
    frames=1_230_000,
    frames_per_second=45_300.4,
    mean_return=3.214,
    solved=0.415,
    policy_lag=1.25,
    learner=0.834,
    actors=0.97,
)
BILLION = 1_000_000_000


def test_it_says_how_far_the_run_is_and_how_it_performs() -> None:
    assert progress(STATUS, BILLION) == "1.23M of 1G frames · 45,300 frames/s · 6 h 07 min left"
    assert condition(STATUS) == "return 3.21 · solved 41.5% · lag 1.2 · learner 83% · actors 97%"


def test_what_is_not_known_is_left_out() -> None:
    status = Status(10, 0.0, None, None, 0.0, 0.5, None, restarts=2)
    assert progress(status, BILLION) == "10 of 1G frames · 0 frames/s · time left unknown"
    assert condition(status) == "return - · lag 0.0 · learner 50% · restarts 2"


def test_the_unit_of_the_time_left_fits_it() -> None:
    for total, left in ((1_230_000, "0 s"), (2_000_000, "17 s"), (10_000_000, "3 min")):
        assert progress(STATUS, total).endswith(f" {left} left")
    assert progress(STATUS, 100 * BILLION).endswith(" 25.5 d left")
