"""Weights of 1 % and 10 % of a run are kept, each once."""

import pytest
import torch

from agents.runs.checkpoint import WrongConfig, load_all, snapshot
from agents.runs.saving import milestones
from agents.runs.saving.milestones import Milestones


def due(total, start, frames):
    found = Milestones(total, start)
    return [frame for frame in frames if found.due(frame)]


def test_each_share_is_due_once():
    assert due(1000, 0, range(0, 1001, 4)) == [12, 100]


def test_shares_that_were_passed_before_a_resume_are_not_due():
    assert due(1000, 50, range(50, 1001, 4)) == [102]
    assert due(1000, 100, range(100, 1001)) == []


def test_large_steps_pass_both_at_once():
    assert due(100, 0, [50, 100]) == [50]


@pytest.fixture
def saved(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("seed: 1\n")
    for frame in (10, 100):
        weights = {"w": torch.full((2,), float(frame))}
        content = snapshot(frame=frame, weights=weights, state={})
        milestones.write(tmp_path / "checkpoints", content, config.read_bytes())
    return tmp_path


def test_what_was_saved_comes_back_the_earliest_first(saved):
    found = load_all(saved / "checkpoints" / milestones.FOLDER, saved / "config.yaml")
    assert [checkpoint.frame for checkpoint in found] == [10, 100]
    assert found[1].weights["w"].tolist() == [100, 100]


def test_a_damaged_one_is_left_out(saved):
    folder = saved / "checkpoints" / milestones.FOLDER
    (folder / "000000000010" / "weights.safetensors").write_bytes(b"x")
    assert [c.frame for c in load_all(folder, saved / "config.yaml")] == [100]


def test_another_configuration_is_refused(saved):
    (saved / "config.yaml").write_text("seed: 2\n")
    with pytest.raises(WrongConfig):
        load_all(saved / "checkpoints" / milestones.FOLDER, saved / "config.yaml")
