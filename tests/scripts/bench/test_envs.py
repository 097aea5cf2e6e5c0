"""`scripts/bench/envs.py`: how fast the environments are, and whether levels can be solved."""

import importlib.util
import json
from pathlib import Path

import pytest

from envs.boxworld.cells import GEM

SCRIPT = Path(__file__).parents[3] / "scripts" / "bench" / "envs.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_envs", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(bench, monkeypatch, *flags: str) -> None:
    monkeypatch.setattr("sys.argv", ["envs.py", *flags])
    bench.main()


def test_a_quick_run_measures_all_and_draws_it(bench, tmp_path, monkeypatch):
    out = tmp_path / "envs.json"
    quick = ["--rounds", "2", "--seconds", "0.01", "--starts", "0", "--levels", "500"]
    run(bench, monkeypatch, "--out", str(out), *quick, "--sizes", "1", "8")
    results = json.loads(out.read_text())
    assert set(results["steps"]) == set(bench.IDS)
    for rates in results["steps"].values():
        assert set(rates) == {"single", "1", "8"}
        assert all(value > 1000 for rate in rates.values() for value in rate.values())
    assert results["levels"]["mix"]["levels"] == results["levels"]["hardest"]["levels"] == 500
    assert results["levels"]["mix"]["unsolvable"] == results["levels"]["hardest"]["unsolvable"] == 0
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_levels_that_cannot_be_solved_are_counted(bench, monkeypatch):
    begin = bench.BoxWorld.begin

    def spoil(game, mask):
        begin(game, mask)
        game.cells[::5][game.cells[::5] == GEM] = 0

    monkeypatch.setattr(bench.BoxWorld, "begin", spoil)
    assert bench.levels(bench.LEVELS["mix"], 50, 1)["unsolvable"] == 10


def test_the_first_step_of_a_fresh_process_is_timed(bench, tmp_path):
    times = {}
    bench.start("BoxWorld-v0", str(tmp_path), times)
    assert 0.1 < times["cpu"][0] < 60
    assert times["wall"][0] > 0
    assert any(tmp_path.rglob("*.nbi"))  # the cache was this folder


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rounds", "0"], "--rounds, --levels and --sizes must be at least 1"),
        (["--sizes", "4", "0"], "--sizes must be at least 1"),
        (["--seconds", "0"], "--seconds must be more than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(bench, tmp_path, monkeypatch, capsys, flags, message):
    with pytest.raises(SystemExit):
        run(bench, monkeypatch, "--out", str(tmp_path / "envs.json"), *flags)
    assert message in capsys.readouterr().err
