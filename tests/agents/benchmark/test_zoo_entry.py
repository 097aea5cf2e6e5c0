"""A run becomes an entry of the zoo: smaller, measured, described, and still a run."""

import json

import pytest
import torch

from agents.benchmark import zoo_entry
from agents.benchmark.model_card import _commands, model_card
from agents.benchmark.zoo_entry import add_entry
from agents.cli.program import Names
from agents.evaluation.saved import load_agent
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.runs.run import Run, RunError
from envs import BoxWorldConfig
from memory import LSTMConfig

ENV = BoxWorldConfig(grid_size=8, solution_length=(1,), num_distractors=(0,), max_steps=20)
SPENT = {"seconds": 90.0, "cpu_seconds": 60.0}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder with a curve and two checkpoints."""
    monkeypatch.setattr(
        "sys.argv", ["/a/scripts/impala.py", "--core", "lstm", "--run-dir", "/a/run", "--seed", "0"]
    )
    config = ImpalaConfig(env=ENV, core=LSTMConfig(hidden=8), run_dir=tmp_path / "run")
    with Run.create(config, Names("boxworld", "lstm"), IMPALA) as run:
        run.log({"episodes/return": 0.5, "episodes/solved": 0.1, "speed/seconds": 9.0}, 100)
        weights = build_policy(config).state_dict()
        run.save(frame=100, weights=weights, state=SPENT, best=True)
        run.save(frame=200, weights={n: 2 * x for n, x in weights.items()}, state=SPENT)
    return run


def test_an_entry_is_a_run_with_cast_weights(run, tmp_path):
    target = tmp_path / "zoo" / "my-agent"
    add_entry(run.folder, target, episodes=5)
    before, after = load_agent(run.folder), load_agent(target)
    assert (after.config, after.frame) == (before.config, 200)
    for old, new in zip(before.policy.parameters(), after.policy.parameters(), strict=True):
        assert torch.equal(new, old.half().float())
    stored = Run.open(target, IMPALA).load().weights
    assert {x.dtype for x in stored.values()} == {torch.float16}
    assert load_agent(target, best=True).frame == 200


def test_an_entry_does_not_ask_for_a_cpu_with_bfloat16(tmp_path):
    config = ImpalaConfig(
        env=ENV, core=LSTMConfig(hidden=8, fused="bf16"), run_dir=tmp_path / "run"
    )
    with Run.create(config, Names("boxworld", "lstm"), IMPALA) as run:
        run.log({"episodes/return": 0.5, "speed/seconds": 9.0}, 100)
        run.save(frame=100, weights=build_policy(config).state_dict(), state=SPENT)
    add_entry(run.folder, tmp_path / "my-agent", episodes=2)
    core = load_agent(tmp_path / "my-agent").config.core
    assert core == LSTMConfig(hidden=8)


def test_an_entry_holds_its_results_and_its_curve(run, tmp_path):
    target = tmp_path / "my-agent"
    add_entry(run.folder, target, best=True, dtype="float32", episodes=5)
    results = json.loads((target / "results.json").read_text())
    assert (results["frames"], results["seconds"], results["test"]["levels"]) == (100, 90.0, 5)
    assert (target / "curve.csv").read_text().splitlines()[1].startswith("my-agent,100,9,0.5")
    card = (target / "README.md").read_text()
    assert card == model_card(target, "my-agent")
    assert "| time | 2 min, 1 CPU min |" in card
    assert "float32" in card
    assert "\npython scripts/impala.py --core lstm --seed 0\n" in card  # no folder of this machine


def test_an_entry_is_replaced_only_on_request(run, tmp_path):
    target = tmp_path / "my-agent"
    add_entry(run.folder, target, episodes=2)
    with pytest.raises(RunError, match="exists; --overwrite replaces it"):
        add_entry(run.folder, target, episodes=2)
    add_entry(run.folder, target, episodes=3, overwrite=True)
    assert json.loads((target / "results.json").read_text())["test"]["levels"] == 3


@pytest.mark.parametrize("name", ["My-Agent", "a b", "-a", "a/../b/.."])
def test_a_name_that_is_no_word_is_refused(run, tmp_path, name):
    with pytest.raises(RunError, match=r"--name .* expected lower-case letters"):
        add_entry(run.folder, tmp_path / name, episodes=2)


def test_weights_that_are_too_large_are_refused_and_nothing_is_left(run, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo_entry, "MAX_BYTES", 1000)
    with pytest.raises(RunError, match=r"the weights are .* MB; at most"):
        add_entry(run.folder, tmp_path / "zoo" / "my-agent", episodes=2)
    assert not list((tmp_path / "zoo").iterdir())


def test_weights_beyond_float16_are_refused(run, tmp_path):
    weights = {name: x * 0 + 1e5 for name, x in run.load().weights.items()}
    run.save(frame=300, weights=weights, state=SPENT)
    with pytest.raises(RunError, match=r"too large for torch.float16; use --dtype float32"):
        add_entry(run.folder, tmp_path / "my-agent", episodes=2)


def test_the_card_says_how_a_run_was_resumed():
    command = ["python", "scripts/impala.py", "--frames", "4000"]
    assert _commands(command, 4000) == "python scripts/impala.py --frames 4000"
    assert _commands(command, 6000).endswith(
        "4000\npython scripts/impala.py --resume RUN --frames 6000"
    )
    assert _commands(command[:2], 6000) == "python scripts/impala.py"
