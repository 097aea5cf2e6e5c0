"""`scripts/bench/scaling/scaling.py`: what is expected of what grows, slopes, rows and a figure."""

import csv
import json
import math
import sys

import pytest


def line(values, measured, expected):
    from scaling_report import Line

    return Line("actors", "acting", "lstm", "CPU ms", values, measured, expected)


def test_what_is_expected_grows_as_the_work_and_meets_the_last_measured():
    from scaling_report import anchored

    assert anchored([1, 10, 40], [3.0, 5.0, 8.0]) == pytest.approx([0.2, 2.0, 8.0])


def test_a_slope_is_that_of_the_larger_half_on_log_axes():
    from scaling_report import slope

    assert slope([1, 10, 100, 1000], [7, 7, 10, 1000]) == pytest.approx(2)
    assert slope([1, 2, 4, 8, 16], [9, 9, 1, 0.5, 0.25]) == pytest.approx(-1)  # the middle counts
    assert slope([2, 4], [3, 3]) == pytest.approx(0)


def test_no_worker_is_no_point_of_a_slope():
    from scaling_report import slope

    assert slope([0, 2, 4], [1, 6, 12]) == pytest.approx(1)


def test_each_point_of_a_line_is_a_row():
    from scaling_report import FIELDS, rows

    told = [dict(zip(FIELDS, row, strict=True)) for row in rows([line([1, 10], [2, 3], [0.3, 3])])]
    same = {"axis": "actors", "part": "acting", "core": "lstm", "unit": "CPU ms"}
    assert told == [
        same | {"value": 1, "measured": "2", "expected": "0.3"},
        same | {"value": 10, "measured": "3", "expected": "3"},
    ]


def test_the_table_tells_both_slopes():
    from scaling_report import table

    last = table([line([1, 10_000], [1.0, 100.0], [0.01, 100.0])]).splitlines()[-1]
    assert last == "| acting lstm | actors, 1 to 10,000 | 100 CPU ms | 0.50 | 1.00 |"


@pytest.mark.parametrize(
    ("actors", "size"), [(1, 32), (512, 32), (513, 64), (1_000, 64), (10_000, 1024)]
)
def test_a_batch_is_as_large_as_actors_ask_for(actors, size):
    from scaling_runs import batch

    assert batch(actors) == size


def test_every_run_is_one_that_the_command_line_takes():
    from scaling_runs import RUNS, run_flags

    from agents.cli.command_line import parse
    from agents.impala.program import IMPALA

    for axis, values in RUNS.items():
        for value in values:
            assert getattr(parse([*run_flags(axis, value)], IMPALA).config, axis) == value


def test_the_run_that_axes_share_is_watched_once():
    from scaling_runs import run_flags

    assert run_flags("actors", 100) == run_flags("unroll", 40) != run_flags("workers", 1)


def test_runs_are_medians_of_the_rounds_beside_the_bound(monkeypatch, capsys):
    import scaling_runs
    from steady import Ended, Steady

    asked = []

    def watch(flags, warm_up, seconds):
        asked.append((flags[flags.index("--actors") + 1], warm_up, seconds))
        if flags[flags.index("--actors") + 1] == "7":
            raise Ended("no memory")
        return Steady(len(asked) * 10.0, 1.0, 1.0, 1.0, 1)

    monkeypatch.setattr(scaling_runs, "watch_training", watch)
    monkeypatch.setattr(scaling_runs, "RUNS", {"actors": (1, 2000, 7), "workers": (0, 1)})
    rates = scaling_runs.watch_all(("--env", "boxworld"), 10_000.0, 3, 1.0, 6.0)
    # Of 2,000 actors, each delivers within the time: 80,000 frames at the bound take 8 s.
    assert asked[:3] == [("1", 1.0, 6.0), ("2000", 1.0, 12.0), ("7", 1.0, 6.0)]
    assert "--actors 7 --workers auto: no memory" in capsys.readouterr().out
    (drawn,) = scaling_runs.lines_of(rates, "lstm", 10_000.0)  # one worker alone has no slope
    assert (drawn.values, drawn.measured) == ([1, 2000], [60.0, 70.0])
    assert drawn.expected == [10_000.0, 10_000.0]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The script on the smallest sizes; whole runs only say that they were asked for."""
    import scaling
    import scaling_parts
    import scaling_runs
    from steady import Steady

    few = {"ACTORS": (1, 2), "UNROLLS": (2, 3), "SLOTS": (1, 2), "SLOT_WIDTH": 8}
    few |= {"SIZES": {"lstm": ("--core.hidden", (4, 8)), "rmc": ("--core.units", (16, 32))}}
    for name, value in few.items():
        monkeypatch.setattr(scaling_parts, name, value)
    monkeypatch.setattr(scaling_runs, "watch_training", lambda *_: Steady(9.0, 1.0, 1.0, 1.0, 1))
    monkeypatch.setattr(scaling.torch, "set_num_threads", lambda _: None)

    def call(*words):
        flags = ["--out", str(tmp_path / "scaling.csv"), "--calls", "1"]
        monkeypatch.setattr(sys, "argv", ["scaling.py", *flags, *words])
        scaling.main()

    return call


def test_a_small_run_measures_all_and_draws_it(run, tmp_path, capsys):
    run()
    told = list(csv.DictReader((tmp_path / "scaling.csv").open()))
    assert {(row["axis"], row["part"], row["core"]) for row in told} == {
        ("actors", "environment", ""),
        *(("actors", "acting", core) for core in ("lstm", "rmc")),
        *(("unroll", "learning", core) for core in ("lstm", "rmc")),
        *(("units", part, c) for part in ("acting", "learning", "both") for c in ("lstm", "rmc")),
        *(("slots", part, "rmc") for part in ("acting", "learning")),
        *((axis, "whole run", "lstm") for axis in ("actors", "workers", "unroll")),
    }
    assert all(float(row["measured"]) > 0 and float(row["expected"]) > 0 for row in told)
    slopes = json.loads((tmp_path / "scaling.json").read_text())["slopes"]
    # To learn from 2 and 3 steps, 3 and 4 go through the network.
    steps = math.log(4 / 3) / math.log(3 / 2)
    expected = slopes["learning lstm, CPU ms, against unroll"]["expected"]
    assert expected == pytest.approx(steps, abs=0.01)
    assert slopes["acting rmc, CPU ms, against actors"]["expected"] == 1.0
    assert slopes["whole run lstm, frames per second, against unroll"]["measured"] == 0.0
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
    assert "| acting rmc | slots, 1 to 2 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--calls", "0"], "--calls, --rounds at least 1"),
        (["--seconds", "0"], "--seconds above 0"),
        (["--out", "nowhere/scaling.csv"], "there is no folder nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(run, capsys, flags, message):
    with pytest.raises(SystemExit):
        run(*flags)
    assert message in capsys.readouterr().err
