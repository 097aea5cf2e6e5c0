"""Learning curves as a figure: which lines there are, and what they are of."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from agents.benchmark.curve_figure import average, lines_of
from agents.benchmark.curves import curve_of
from agents.cli.program import Names
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.programs.plot import main
from agents.runs.run import Run
from memory import LSTMConfig


@pytest.fixture
def make(tmp_path: Path):
    """Makes a run folder with a log."""

    def make(name: str, values: list[float], hidden: int = 8, seed: int = 0) -> Path:
        folder = tmp_path / name
        config = ImpalaConfig(core=LSTMConfig(hidden=hidden), seed=seed, run_dir=folder)
        with Run.create(config, Names("boxworld", "lstm"), IMPALA) as run:
            for number, value in enumerate(values, 1):
                line = {"episodes/return": value, "loss/total": -value, "speed/seconds": number}
                run.log(line, 100 * number)
        return folder

    return make


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are saved."""
    saved: list[Any] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: saved.append(self))
    return saved


def plot(*arguments: object) -> int:
    return main([*map(str, arguments), "--out", "curve.png"])


def test_a_metric_is_drawn_against_the_axis_asked_for(make, figures):
    run = make("run", [1.0, 2.0, 4.0])
    assert plot(run, "--metric", "loss/total", "--x", "hours", "--smooth", 2) == 0
    (panel,) = figures[-1].axes
    (line,) = panel.lines
    assert line.get_ydata().tolist() == [-1.0, -1.5, -3.0]
    assert line.get_xdata() == pytest.approx([1 / 3600, 2 / 3600, 3 / 3600])
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("hours", "loss/total")


def test_seeds_become_a_mean_with_a_band(make, figures):
    runs = [make("a", [1.0, 2.0], seed=1), make("b", [3.0, 6.0], seed=2)]
    other = make("c", [5.0, 5.0], seed=1, hidden=9)
    assert plot(*runs, other, "--join-seeds", "--x", "frames") == 0
    (panel,) = figures[-1].axes
    assert [line.get_label() for line in panel.lines] == ["a (2)", "c (1)"]
    mean = panel.lines[0].get_ydata()
    assert (mean[0], mean[-1]) == pytest.approx((2.0, 4.0))
    (band,) = panel.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((1.0, 6.0))


def test_without_it_every_run_is_a_line(make):
    runs = [make("a", [1.0], seed=1), make("b", [3.0], seed=2)]
    curves = {run: curve_of(run) for run in runs}
    assert [line.label for line in lines_of(curves, join_seeds=False)] == ["a", "b"]


def test_a_single_point_is_a_marker(make, figures):
    assert plot(make("one", [1.0]), make("two", [1.0, 2.0])) == 0
    assert [line.get_marker() for line in figures[-1].axes[0].lines] == ["o", "None"]


def test_a_curve_that_is_missing_is_named(make, figures, capsys):
    runs = [make("with", [1.0]), make("without", [1.0])]
    with (runs[0] / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({"frame": 200, "speed/seconds": 2, "extra": 7.0}) + "\n")
    assert plot(*runs, "--metric", "extra") == 0
    assert f"{runs[1]} has no extra: it is left out." in capsys.readouterr().err
    assert len(figures[-1].axes[0].lines) == 1


def test_a_metric_that_no_run_has_gets_the_nearest_name(make, capsys):
    with pytest.raises(SystemExit):
        plot(make("run", [1.0]), "--metric", "episodes/returns")
    error = capsys.readouterr().err
    assert "--metric episodes/returns: no run has it. Did you mean episodes/return?" in error


def test_curves_are_averaged_where_all_have_values():
    x, y = np.array([0.0, 10.0]), np.array([0.0, 10.0])
    places, values = average([(x, y), (x + 5, 2 * y)])
    assert (places[0], places[-1], values.shape) == (5.0, 10.0, (2, len(places)))
    np.testing.assert_allclose(values[:, -1], [10.0, 10.0])


def test_the_table_has_the_runs_of_the_figure(make, figures, tmp_path):
    run = make("run", [1.0, 2.0])
    shutil.copytree(run, tmp_path / "copy")
    assert plot(run, tmp_path / "copy", "--csv", tmp_path / "curve.csv") == 0
    rows = (tmp_path / "curve.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["run", "run", "copy", "copy"]
