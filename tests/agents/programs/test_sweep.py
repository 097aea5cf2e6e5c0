"""`scripts/sweep.py`: what a search tries, its mistakes, and a small search over Ray Tune."""

import csv

import pytest

from agents.benchmark.sweep_plan import FOLDER, read_sweep
from agents.programs.sweep import main

PLAN = """
program: supervised
settings: {task: delayed_recall, task.length: 1, task.delay: 1, core: gru, core.hidden: 8,
  steps: 40, validate_every: 20, threads: 1, reader.readout: [4], log_seconds: 0}
search:
  training.learning-rate: {log: [1.0e-4, 1.0e-1]}
trials: 2
scheduler: asha
measure: validation/accuracy
"""


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


def test_a_plan_says_what_is_tried_and_how_long(plan):
    sweep = read_sweep(plan)
    assert sweep.search == {"training.learning-rate": {"log": [1e-4, 1e-1]}}
    assert (sweep.trials, sweep.length, sweep.scheduler) == (2, 40, "asha")
    assert sweep.check({"training.learning-rate": 0.5}).training.learning_rate == 0.5


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sweep_of_the_repository_can_be_run(file):
    assert read_sweep(file).length > 0
    assert file.read_text().startswith(f"# python scripts/sweep.py {file.stem} --out ")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("program: supervised", "program: supervise", "Did you mean supervised?"),
        ("search:", "serch:", "no section `serch`. Did you mean search?"),
        ("learning-rate", "learning-rat", "learning-rat"),
        ("{log: [1.0e-4, 1.0e-1]}", "{log: [0, 1]}", "`search: training.learning-rate` is"),
        ("{log: [1.0e-4, 1.0e-1]}", "{log: [-1.0, 1.0]}", "`search: training.learning-rate` is"),
        ("{log: [1.0e-4, 1.0e-1]}", "{between: [-1.0, 1.0]}", "cannot be run"),
        ("trials: 2", "trials: many", "`trials` is a number from 1 on, or all; got 'many'"),
        ("trials: 2", "trials: all", "`trials: all` needs `choices`"),
        ("measure: validation/accuracy", "", "`measure` names a column"),
        ("trials: 2", "trials: &x 2\nsettings: *x", "aliases and deep nesting are not allowed"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_anything_runs(
    old, new, words, plan, tmp_path, capsys
):
    plan.write_text(PLAN.replace(old, new))
    with pytest.raises(SystemExit) as end:
        main([str(plan), "--out", str(tmp_path / "out")])
    assert end.value.code == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_in_use_is_refused(plan, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(plan), "--out", str(tmp_path)])
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_ends_in_a_table_with_the_best_first(plan, tmp_path):
    assert main([str(plan), "--out", str(tmp_path / "out")]) == 0
    rows = list(csv.DictReader((tmp_path / "out" / "sweep.csv").open()))
    values = [float(row["validation/accuracy"]) for row in rows]
    assert len(rows) == 2 and values == sorted(values, reverse=True)
    assert all(not row["error"] for row in rows)
