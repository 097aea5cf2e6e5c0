"""Whole runs on a GPU: what is noted of each, where there is a GPU in name only."""

import json
import sys

import pytest


@pytest.fixture
def bench(monkeypatch):
    """The script, with a GPU that is told to be 40, then 60 % busy, and runs that are not run."""
    import gpu_runs

    told = iter(["40, 1000\n", "60, 2000\n"])

    class Told:
        def __init__(self, *_, **__):
            self.stdout = next(told, "60, 2000\n")

    monkeypatch.setattr(gpu_runs.shutil, "which", lambda _: "nvidia-smi")
    monkeypatch.setattr(gpu_runs.subprocess, "run", Told)
    return gpu_runs


def run(bench, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["gpu_runs.py", *map(str, arguments)])
    bench.main()


def test_every_run_is_noted_and_one_that_fails_says_why(bench, monkeypatch, tmp_path):
    def watched(flags, warm_up, seconds):
        assert flags[:2] == ["--env", "minipacman"] and (warm_up, seconds) == (5, 8)
        if "13" in flags:
            raise bench.Ended("no room")
        while not gauges[0].seen:
            pass
        return bench_steady.Steady(1000.4, 99.6, 1.0, 1.0, 3)

    import steady as bench_steady

    gauges, gauge = [], bench.Gauge
    monkeypatch.setattr(bench, "Gauge", lambda: gauges.append(gauge()) or gauges[0])
    monkeypatch.setattr(bench, "watch_training", watched)
    run(bench, monkeypatch, "--out", tmp_path / "runs.json", "--env", "minipacman")
    rows = json.loads((tmp_path / "runs.json").read_text())
    assert [row["flags"] for row in rows] == list(bench.RUNS)
    assert rows[0]["frames_per_second"] == 1000 and rows[0]["frames_per_cpu_second"] == 100
    assert rows[0]["gpu_utilisation_percent"] == 40 and rows[0]["gpu_memory_mib"] == 1000
    assert {row.get("error") for row in rows} == {None, "no room"}


def test_a_mean_is_that_of_the_last_seconds(bench):
    gauge = bench.Gauge()
    gauge.close()
    gauge.seen = [(0, 1), (40, 2), (60, 3)]
    assert gauge.last(1) == (50, 3)


def test_without_a_gpu_or_a_folder_it_refuses(bench, monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(bench, monkeypatch, "--out", tmp_path / "none" / "runs.json")
    assert "there is no folder" in capsys.readouterr().err
    monkeypatch.setattr(bench.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit):
        run(bench, monkeypatch, "--out", tmp_path / "runs.json")
    assert "nvidia-smi: not found" in capsys.readouterr().err
