"""A process beside a run says what happened if the run ends without a word."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RUN = """
import os, signal, subprocess, sys
from agents.runs.guard import Guard
from pathlib import Path

daemon = subprocess.Popen(["sleep", "60"], stderr=subprocess.DEVNULL)
if sys.argv[1] == "daemon":
    daemon.kill()
try:
    with Guard(Path(sys.argv[2]), "engram train --resume x", {"raylet": daemon.pid}):
        if sys.argv[1] != "end":
            os.kill(os.getpid(), signal.SIGKILL)
finally:
    daemon.kill()
"""


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    for name in ("000000000008", "000000000012", ".unfinished-3"):
        (tmp_path / name).mkdir()
    return tmp_path


def words(case: str, checkpoints: Path) -> str:
    command = [sys.executable, "-c", RUN, case, str(checkpoints)]
    group = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, process_group=0)
    said = group.communicate(timeout=60)[1]
    return said


def test_a_run_that_ends_by_itself_needs_no_words(checkpoints: Path) -> None:
    assert words("end", checkpoints) == ""


def test_a_run_that_is_killed_is_said_with_its_checkpoint_and_how_to_resume(
    checkpoints: Path,
) -> None:
    said = words("killed", checkpoints)
    assert said == (
        "error: the run ended without a message: it was killed. The newest checkpoint is "
        f"{checkpoints}/000000000012; resume: engram train --resume x\n"
    )


def test_the_process_of_ray_that_had_ended_is_named(checkpoints: Path) -> None:
    assert "without a message after raylet of Ray had ended. The" in words("daemon", checkpoints)


def test_a_run_without_a_checkpoint_is_said(tmp_path: Path) -> None:
    assert "There is no checkpoint yet." in words("killed", tmp_path)
