"""The examples of docs/python.md for other libraries run in an environment that has them.

`ENGRAM_LIBRARIES` names the Python of such an environment; without it, this one is tried.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents import load_agent
from agents.evaluation.evaluate import evaluate
from tests.docs.literal import ROOT
from tests.test_readme import blocks

MODULES = {"sb3-contrib": "sb3_contrib", "ray-rllib": "ray.rllib"}


@pytest.mark.slow
@pytest.mark.parametrize("library", MODULES)
def test_an_example_for_another_library_runs(library: str, tmp_path: Path) -> None:
    python = os.environ.get("ENGRAM_LIBRARIES", sys.executable)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    if run(f"import {MODULES[library]}").returncode:
        pytest.skip(f"{python} has no {library}; ENGRAM_LIBRARIES names a Python that has it")
    (example,) = blocks(f"python {library}")
    done = run(example)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_loop_of_the_page_gets_the_return_of_evaluate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = (block for block in blocks("python") if "level_seeds(1)" in block)
    exec(compile(example, "python.md", "exec"), {"__name__": "example"})
    agent = load_agent("boxworld-easy-lstm")
    scores = evaluate(agent.policy, agent.config.env, episodes=1, seed=0).score
    assert float(capsys.readouterr().out) == scores.mean_return
