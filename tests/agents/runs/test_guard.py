"""A process beside a run says what happened if the run ends without a word."""

import subprocess
import sys
import time
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


AGENTS = """
import os, signal, subprocess, sys
from agents.runs.guard import Guard
from pathlib import Path

started = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "process_group": 0}
daemon = subprocess.Popen(["sh", "-c", "sleep 61 & echo $!; exec sleep 60"], **started)
print(int(daemon.stdout.readline()), flush=True)
with Guard(Path(sys.argv[1]), "", {"raylet": daemon.pid}):
    daemon.kill()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_left_of_the_group_of_raylet_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", AGENTS, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    agent = int(run.stdout)
    assert "after raylet of Ray had ended" in run.stderr
    deadline = time.monotonic() + 10
    while not has_ended(agent):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True
