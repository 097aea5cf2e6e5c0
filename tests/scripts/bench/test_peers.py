"""Rounds of `scripts/bench/peers/peers.py` that resume, ratios, a page and a figure."""

import csv
import sys

import pytest

STEADY = {"resident_mb": "10", "proportional_mb": "5", "processes": "1"}


def row(system, number, frames, env="boxworld", error=""):
    rates = {"frames_per_second": str(frames), "frames_per_cpu_second": str(2 * frames)}
    where = {"env": env, "system": system, "round": str(number), "load": "1.0", "error": error}
    return where | (STEADY | rates if not error else {})


ROWS = [
    row("engram", 1, 100),
    row("sample-factory", 1, 50),
    row("engram", 2, 900),
    row("sample-factory", 2, 300),
    row("engram", 3, 100),
    row("sample-factory", 3, 10),
    row("engram", 4, 1),
]


def test_a_ratio_is_the_median_of_the_ratios_of_each_round():
    from peer_report import ratio

    times = ratio(ROWS, "boxworld", "engram", "sample-factory", "frames_per_second")
    assert times == 3  # of 2, 3 and 10; their mean is 5, and the medians themselves are 100 and 50
    assert ratio(ROWS, "minipacman", "engram", "sample-factory", "frames_per_second") is None


def test_the_page_tells_goals_failures_and_who_is_absent():
    from peer_report import BEGIN, END, insert, page

    failed = row("rllib", 1, 0, error="it ended with status 1: no | memory")
    told = page([*ROWS, failed], {"pufferlib": "no compiler"})
    assert "sample-factory` in frames per second: 3.00, reached" in told.replace("2 times `", "")
    assert "failed: it ended with status 1: no / memory" in told
    assert "* pufferlib: no compiler." in told
    assert "* TorchBeast: not on the package index" in told
    text = insert(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new")
    assert text == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_goal_that_is_missed_is_said_to_be():
    from peer_report import page

    told = page([row("engram", 1, 199), row("sample-factory", 1, 100)], {})
    assert "frames per CPU second: 1.99, missed" in told


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The script with measurements that only say what was asked."""
    import peers

    asked = []

    def measure(name, env, number, _):
        asked.append((number, env, name))
        return dict.fromkeys(peers.FIELDS, "") | row(name, number, 100, env)

    def install(name, _):
        if name == "rllib":
            raise peers.NotInstalled("no network")

    def call(*words):
        asked.clear()
        flags = ["--venvs", str(tmp_path), "--out", str(tmp_path / "peers.csv"), *words]
        monkeypatch.setattr(sys, "argv", ["peers.py", *flags])
        peers.main()
        return list(asked)

    monkeypatch.setattr(peers, "measure", measure)
    monkeypatch.setattr(peers, "install", install)
    monkeypatch.setattr(peers.os, "sched_setaffinity", lambda *_: None)
    return call


def test_rounds_interleave_and_go_on_where_they_stopped(run, tmp_path, capsys):
    words = ["--envs", "boxworld", "--systems", "engram", "rllib", "cleanrl", "--rounds"]
    assert run(*words, "1") == [(1, "boxworld", "engram"), (1, "boxworld", "cleanrl")]
    assert "rllib is left out: no network" in capsys.readouterr().out
    assert run(*words, "2") == [(2, "boxworld", "engram"), (2, "boxworld", "cleanrl")]
    rows = list(csv.DictReader((tmp_path / "peers.csv").open()))
    assert [(r["round"], r["system"]) for r in rows] == [
        ("1", "engram"),
        ("1", "cleanrl"),
        ("2", "engram"),
        ("2", "cleanrl"),
    ]
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_a_failure_is_tried_again(run, tmp_path):
    import peers

    failed = dict.fromkeys(peers.FIELDS, "") | row("engram", 1, 0, error="it ended")
    peers.write([failed], tmp_path / "peers.csv")
    words = ["--envs", "boxworld", "--systems", "engram", "--rounds", "1"]
    assert run(*words) == [(1, "boxworld", "engram")]


def test_a_folder_that_is_not_there_is_named(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("--out", str(tmp_path / "nowhere/peers.csv"))
    assert "--out" in capsys.readouterr().err


def test_every_peer_has_a_driver():
    from drivers.systems import DRIVERS, PEERS, SYSTEMS

    assert {system.peer for system in SYSTEMS.values()} == {None, *PEERS}
    assert all((DRIVERS / peer.driver).is_file() for peer in PEERS.values())
