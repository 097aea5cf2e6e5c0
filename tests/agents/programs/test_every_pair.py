"""Any environment with any core: trained, stopped, resumed, evaluated and filmed."""

import json

import pytest

from agents.programs.evaluate import main as evaluate_main
from agents.programs.impala import main
from agents.programs.record import main as record_main
from agents.runs.checkpoint import load
from memory import CORES

SMALL = ["--actors", "6", "--batch", "3", "--unroll", "8", "--workers", "0"]
SMALL += ["--learner-threads", "1", "--log-seconds", "0"]
SHORT = {"boxworld": ["--env.max-steps", "20"], "minipacman": ["--env.frame-cap", "20"]}


@pytest.mark.parametrize("core", sorted(CORES))
@pytest.mark.parametrize("env", sorted(SHORT))
def test_every_pair_trains_resumes_is_evaluated_and_filmed(env, core, tmp_path):
    run, scores, video = tmp_path / "run", tmp_path / "scores.json", tmp_path / "agent.gif"
    flags = ["--env", env, "--core", core, *SMALL, *SHORT[env], "--frames", "72"]
    assert main([*flags, "--run-dir", str(run)]) == 0
    assert main(["--resume", str(run), "--frames", "144"]) == 0
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in log][-1] == 144
    assert load(run / "checkpoints").state["learner"]["updates"] == 6
    assert evaluate_main([str(run), "--episodes", "7", "--json", str(scores)]) == 0
    assert json.loads(scores.read_text())["episodes"] == 7
    assert record_main([str(run), "--episodes", "1", "--out", str(video)]) == 0
    assert video.stat().st_size > 1000
