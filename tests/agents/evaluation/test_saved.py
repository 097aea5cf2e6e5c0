"""An agent comes back from its run folder as it was, or a message says why not."""

import logging
from dataclasses import replace

import pytest
import torch

from agents.cli.program import Names
from agents.evaluation.saved import load_agent
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.runs.checkpoint import CheckpointError, save
from agents.runs.run import Run, RunError
from envs import BoxWorldConfig
from memory import LSTMConfig
from memory.fused.compiled_code import CompiledCode
from memory.fused.lstm import code

ENV = BoxWorldConfig(grid_size=8, solution_length=(1,), num_distractors=(0,), max_steps=20)


@pytest.fixture
def run(tmp_path):
    """A run folder without a checkpoint."""
    config = ImpalaConfig(env=ENV, core=LSTMConfig(hidden=8), run_dir=tmp_path / "run")
    return Run.create(config, Names("boxworld", "lstm"), IMPALA)


def keep(run, frame, *, seed, best=False, **changes):
    """Save a policy drawn from `seed` as the checkpoint of a frame; returns the policy."""
    policy = build_policy(replace(run.config, seed=seed, **changes))
    weights = policy.state_dict()
    save(run.checkpoints, frame=frame, weights=weights, state={}, best=best)
    return policy


def same(one, other):
    other = other.state_dict()
    return all(torch.equal(w, other[name]) for name, w in one.state_dict().items())


def test_the_newest_agent_comes_back(run):
    keep(run, 100, seed=1)
    policy = keep(run, 200, seed=2)
    config, loaded, frame = load_agent(run.folder)
    assert (frame, config.env, config.core) == (200, ENV, run.config.core)
    assert same(loaded, policy)
    assert not loaded.training


def test_the_best_agent_comes_back(run):
    policy = keep(run, 100, seed=1, best=True)
    keep(run, 200, seed=2)
    loaded = load_agent(run.folder, best=True)
    assert loaded.frame == 100
    assert same(loaded.policy, policy)


def test_a_damaged_checkpoint_is_told_and_passed_over(run, caplog):
    policy = keep(run, 100, seed=1)
    keep(run, 200, seed=2)
    (run.checkpoints / f"{200:012d}" / "weights.safetensors").write_bytes(b"garbage")
    with caplog.at_level(logging.WARNING):
        loaded = load_agent(run.folder)
    assert loaded.frame == 100
    assert same(loaded.policy, policy)
    assert "weights.safetensors is damaged" in caplog.text


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        load_agent(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        load_agent(tmp_path / "nowhere")


def test_a_run_without_a_checkpoint_is_refused(run):
    with pytest.raises(CheckpointError, match=r"no checkpoint to load"):
        load_agent(run.folder)
    keep(run, 100, seed=1)
    with pytest.raises(CheckpointError, match=r"no best checkpoint to load"):
        load_agent(run.folder, best=True)


def test_weights_of_another_architecture_are_refused(run):
    keep(run, 100, seed=1, core=LSTMConfig(hidden=9))
    with pytest.raises(CheckpointError, match=r"another architecture: core\..* is "):
        load_agent(run.folder)


def test_a_run_in_bfloat16_plays_in_float32_on_a_cpu_without_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(CompiledCode, "has_halves", False)
    core = LSTMConfig(hidden=8, fused="bf16")
    config = ImpalaConfig(env=ENV, core=core, run_dir=tmp_path / "run")
    run = Run.create(config, Names("boxworld", "lstm"), IMPALA)
    policy = keep(run, 100, seed=1)
    saved = load_agent(run.folder)
    assert saved.config.core == LSTMConfig(hidden=8)
    assert same(saved.policy, policy)
    if code.missing is None:
        assert "config.yaml: fused=bf16: this CPU has no avx512_bf16" in caplog.text
