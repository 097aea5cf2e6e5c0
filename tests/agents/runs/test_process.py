"""Programs write to any terminal, and to readers that leave early."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from agents.runs.process import prepare, run
prepare()
def main(argv):
    for _ in range({lines}):
        print("10 \\u00b1 1 \\u00b7 " + "x" * 1000)
    return {status}
sys.exit(run(main, []))
"""


def started(lines: int, status: int = 0, **options: Any) -> Any:
    code = PROGRAM.format(lines=lines, status=status)
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, **options
    )


@pytest.mark.parametrize("lines", [1, 1000], ids=["found out at the end", "found out in between"])
def test_a_reader_that_has_gone_is_no_error(lines: int) -> None:
    reading, writing = os.pipe()
    program = started(lines, stdout=writing)
    os.close(writing)
    os.close(reading)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, b"")


def test_a_program_without_an_output_runs() -> None:
    program = started(1, 3, stdout=None, preexec_fn=lambda: os.close(1))
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (3, b"")


def test_characters_that_a_terminal_lacks_are_question_marks() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    program = started(1, 3, stdout=subprocess.PIPE, env=environment)
    output, errors = program.communicate(timeout=60)
    assert output.startswith(b"10 ? 1 ? x") and (program.returncode, errors) == (3, b"")


INTERRUPTED_WHILE = {
    "imports": "import _thread; _thread.interrupt_main(); import json, time; time.sleep(5)",
    "a program": "def main(argv): raise KeyboardInterrupt\nsys.exit(run(main, []))",
}


@pytest.mark.parametrize("while_", INTERRUPTED_WHILE)
def test_ctrl_c_shows_no_traceback(while_: str) -> None:
    code = "import sys\nfrom agents.runs.process import prepare, run\nprepare()\n"
    code += INTERRUPTED_WHILE[while_]
    program = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, timeout=60, check=False
    )
    assert program.returncode in (130, -signal.SIGINT)
    assert b"Traceback" not in program.stderr
    assert (b"error: interrupted." in program.stderr) == (while_ == "a program")
