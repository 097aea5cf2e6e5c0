"""Curves of a log: drawn, and kept as a table."""

import csv
import json

import pytest

from agents.benchmark.curves import thin
from agents.programs.impala import main as train
from agents.programs.plot import main
from agents.programs.supervised import main as supervise


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    flags = ["--config", "debug", "--core", "lstm", "--actors", "4", "--batch", "4"]
    flags += ["--learner-threads", "1", "--log-seconds", "0", "--env.max-steps", "9"]
    assert train([*flags, "--frames", "800", "--run-dir", str(folder)]) == 0
    return folder


def test_a_run_becomes_a_figure_and_a_table_of_what_it_logged(run, tmp_path):
    figure, table = tmp_path / "curve.png", tmp_path / "curve.csv"
    assert main([str(run), "--out", str(figure), "--csv", str(table)]) == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(table.open()))
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert rows[-1]["run"] == "run" and int(rows[-1]["frame"]) == 800
    assert float(rows[-1]["episodes/return"]) == pytest.approx(last["episodes/return"], rel=1e-4)


def test_the_table_has_the_metric_that_is_drawn(run, tmp_path):
    figure, table = tmp_path / "curve.png", tmp_path / "curve.csv"
    metric = "speed/frames_per_second"
    command = [str(run), "--metric", metric, "--out", str(figure), "--csv", str(table)]
    assert main(command) == 0
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    *_, row = csv.DictReader(table.open())
    assert float(row[metric]) == pytest.approx(last[metric], rel=1e-4)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "answers"
    flags = ["--task", "delayed_recall", "--task.length", "2", "--core", "gru", "--steps", "4"]
    flags += ["--validate-every", "2", "--log-seconds", "0", "--threads", "1"]
    assert supervise([*flags, "--run-dir", str(folder)]) == 0
    return folder


def test_a_supervised_run_is_drawn_by_its_validations(answers, tmp_path):
    figure, table = tmp_path / "curve.png", tmp_path / "curve.csv"
    assert main([str(answers), "--out", str(figure), "--csv", str(table)]) == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(table.open()))
    assert [row["frame"] for row in rows] == ["2", "4"]
    assert all(0 <= float(row["validation/accuracy"]) <= 1 for row in rows)
    assert 0 < float(rows[0]["speed/seconds"]) < float(rows[1]["speed/seconds"])
    assert "episodes/return" not in rows[0] and "validation/perplexity" not in rows[0]


def test_runs_of_two_kinds_are_not_drawn_into_one_figure(run, answers, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(run), str(answers), "--out", str(tmp_path / "curve.png")])
    assert "figures of their own" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_thinning_keeps_the_last_line():
    lines = [{"frame": i} for i in range(1001)]
    kept = thin(lines, 100)
    assert kept[-1] == lines[-1] and 90 <= len(kept) <= 110
    assert kept == sorted(kept, key=lambda line: line["frame"])


def test_a_figure_of_no_known_kind_is_refused_in_words(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main([str(run), "--out", str(tmp_path / "curve.xyz")])
    assert end.value.code == 2
    assert "curve.xyz" in capsys.readouterr().err


def test_a_run_with_an_empty_log_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["boxworld-easy-lstm", "--out", str(tmp_path / "curve.png"), "--metric", "loss/x"])
    assert "boxworld-easy-lstm: its log, metrics.jsonl, has no lines" in capsys.readouterr().err
