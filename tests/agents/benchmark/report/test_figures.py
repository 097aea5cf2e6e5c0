"""The figures of a report: light and dark, with names beside their lines."""

from pathlib import Path

import numpy as np
import pytest

from agents.benchmark.plan import Job
from agents.benchmark.report import figures
from agents.benchmark.report.figures import Line, draw, spread
from agents.benchmark.results import Results, Row

image = pytest.importorskip("matplotlib.image")
to_hex = pytest.importorskip("matplotlib.colors").to_hex

SCORES = {"lstm": 0.4, "none": 0.2}
ROWS = [
    Row("tasks", "recall", core, seed, "accuracy", score + seed / 50, 10, 1, 60.0, 30.0, True)
    for core, score in SCORES.items()
    for seed in (1, 2)
]
RESULTS = Results(ROWS, {"recall": {"chance": 0.2, "always the first": 0.21}}, [], {}, [])


def job(core: str, seed: int) -> Job:
    return Job("tasks", "recall", core, seed, (), Path(), (1, 2))


def test_a_figure_is_drawn_for_light_and_for_dark_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {core: Line([1.0, 2.0], [0.1, 0.2], [0.1, score]) for core, score in SCORES.items()}
    monkeypatch.setattr(figures, "line_of", lambda job: lines[job.core])
    drawn = draw(tmp_path, RESULTS, [job(core, seed) for core in SCORES for seed in (1, 2)])
    assert {file.name for file in drawn} == {"scores.png", "curves.png", "curves_by_time.png"}
    for file in drawn:
        light, dark = (
            image.imread(tmp_path / f"{file.stem}{suffix}.png")[..., :3] for suffix in ("", "-dark")
        )
        assert np.median(light) == 1 and np.median(dark) == 0
        assert file.with_suffix(".svg").exists() and file.with_suffix(".pdf").exists()


def test_names_keep_their_order_and_a_distance() -> None:
    assert spread([0.5, 0.1, 0.52, 0.9], 0.1) == pytest.approx([0.5, 0.1, 0.6, 0.9])


@pytest.mark.parametrize("number", [10, 15, 20])
def test_each_core_has_a_colour_of_its_own(number: int) -> None:
    assert len({to_hex(colour) for colour in figures.colours(number)}) == number


def test_many_cores_are_named_in_a_legend_and_few_beside_their_curves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "line_of", lambda _: Line([1.0, 2.0], [0.1, 0.2], [0.1, 0.3]))
    for number, legends in ((6, 0), (7, 1)):
        rows = [ROWS[0]._replace(core=f"core {i}") for i in range(number)]
        results = RESULTS._replace(rows=rows)
        curves = figures._figures(results, [job(row.core, 1) for row in rows])["curves"]
        assert len(curves.legends) == legends
        beside = [text.get_text() for text in curves.axes[0].texts]
        assert ("core 0 (1)" in beside) is (legends == 0)


def test_a_task_that_ended_early_keeps_its_last_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "evaluations_of", lambda _: [])
    monkeypatch.setattr(figures, "curve_of", lambda _: None)
    monkeypatch.setattr(figures, "_of_log", lambda _: Line([250.0], [0.1], [1.0]))
    monkeypatch.setattr(figures, "length_of", lambda _: 1000)
    for early, line in (
        (True, Line([250.0], [0.1], [1.0], until=1000.0)),
        (False, Line([250.0], [0.1], [1.0])),
    ):
        monkeypatch.setattr(figures, "results_of", lambda _, early=early: {"ended_early": early})
        assert figures.line_of(job("lstm", 1)) == line


def test_against_time_a_line_that_ended_early_holds_as_long_as_the_longest() -> None:
    early, late = Line([1.0], [0.1], [1.0], until=4.0), Line([1.0, 2.0], [0.1, 0.4], [0.2, 0.3])
    assert [list(part) for part in figures._points(early, "hours", 0.4)] == [[0.1, 0.4], [1, 1]]
    assert [list(part) for part in figures._points(late, "hours", 0.4)] == [[0.1, 0.4], [0.2, 0.3]]
    assert [list(part) for part in figures._points(early, "frames", 0.4)] == [[1, 4], [1, 1]]


@pytest.mark.parametrize(
    ("by", "kind", "hours", "axis"),
    [
        ("hours", "tasks", 0.9, ("CPU minutes", 1 / 60)),
        ("hours", "tasks", 1.0, ("CPU hours", 1.0)),
        ("frames", "tasks", 0.9, ("thousand updates", 1e3)),
        ("frames", "environments", 0.9, ("million frames", 1e6)),
    ],
)
def test_an_axis_has_the_unit_of_its_values(
    by: str, kind: str, hours: float, axis: tuple[str, float]
) -> None:
    assert figures._axis(by, kind, hours) == axis
