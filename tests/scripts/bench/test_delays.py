"""`scripts/bench/delays.py`: a figure and a table of what runs came to at each delay."""

import csv
import json

import pytest
from delays import main


def write_run(folder, **tests):
    folder.mkdir()
    saved = {name: {"accuracy": value} for name, value in tests.items()}
    (folder / "results.json").write_text(
        json.dumps(saved | {"baselines": {"chance": 0.1}, "step": 3})
    )
    return str(folder)


def test_runs_become_a_figure_and_a_table_by_delay(tmp_path):
    one = write_run(tmp_path / "one", test=0.5, delay_20=0.25, delay_3=0.75)
    other = write_run(tmp_path / "other", test=0.5, delay_3=1.0)
    assert main([one, other, "--out", str(tmp_path / "figure.png")]) == 0
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.reader((tmp_path / "figure.csv").open()))
    assert rows[1:] == [["one", "3", "0.7500"], ["one", "20", "0.2500"], ["other", "3", "1.0000"]]


def test_a_run_that_says_nothing_of_delays_is_named(tmp_path, capsys):
    (tmp_path / "begun").mkdir()
    for run, words in (
        (write_run(tmp_path / "run", test=0.5), "run was tested at no other delay"),
        (str(tmp_path / "begun"), "begun: no results of a run that has ended"),
    ):
        with pytest.raises(SystemExit):
            main([run, "--out", str(tmp_path / "figure.png")])
        assert words in capsys.readouterr().err
    assert not (tmp_path / "figure.csv").exists()
