"""Evaluations of an agent: when they are due, on which levels, and where the scores go."""

import json

import pytest
from torch import nn

from agents.cli.program import Names
from agents.impala.build import build_policy
from agents.impala.config import ImpalaConfig
from agents.impala.evaluations import Evaluations
from agents.impala.program import IMPALA
from agents.runs.clock import Clock
from agents.runs.run import Run
from envs import BoxWorldConfig
from memory import LSTMConfig


@pytest.fixture
def prepare(tmp_path):
    """Makes evaluations of a run of which the score is the seed of the levels; and its policy."""

    def make(every, frame=0):
        config = ImpalaConfig(
            env=BoxWorldConfig(max_steps=9),
            core=LSTMConfig(hidden=4),
            evaluate_every=every,
            run_dir=tmp_path / "run",
        )
        run = Run.create(config, Names("boxworld", "lstm"), IMPALA)
        evaluations = Evaluations(config, run, score_of_seed, frame, Clock(0.0, 0.0))
        return evaluations, build_policy(config)

    return make


def score_of_seed(policy: nn.Module, config: ImpalaConfig, seed: int) -> dict:
    return {"measure": "return", "return": 10.0 + seed}


def test_an_evaluation_is_due_once_at_every_multiple(prepare) -> None:
    evaluations, _ = prepare(every=100)
    due = [frame for frame in range(40, 400, 40) if evaluations.due(frame)]
    assert due == [120, 200, 320]
    assert not evaluations.due(360)


def test_a_resumed_run_does_not_repeat_an_evaluation(prepare) -> None:
    evaluations, _ = prepare(every=100, frame=240)
    assert [evaluations.due(frame) for frame in (240, 280, 320)] == [False, False, True]


def test_the_test_is_on_other_levels_than_the_evaluations_before(prepare) -> None:
    evaluations, policy = prepare(every=100)
    message = evaluations.validate(policy, 120)
    assert message == "evaluation at 120 frames: return 10"
    evaluations.test(policy, 400)
    folder = evaluations.run.folder
    (line,) = (folder / "evaluations.jsonl").read_text().splitlines()
    results = json.loads((folder / "results.json").read_text())
    assert (json.loads(line)["frame"], json.loads(line)["return"]) == (120, 10.0)
    assert (results["frames"], results["test"]) == (400, {"return": 11.0})
    assert results["parameters"] == sum(weight.numel() for weight in policy.parameters())


def test_without_the_option_nothing_is_evaluated(prepare) -> None:
    evaluations, policy = prepare(every=None)
    assert not evaluations.due(10**9)
    evaluations.test(policy, 400)
    assert not (evaluations.run.folder / "results.json").exists()
