"""The benchmark of threads that wait for each other."""

import subprocess
import sys

import pytest
import waiting


def start(program: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", f"import time; print(flush=True); {program}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    return process


@pytest.mark.parametrize(
    ("program", "busy"), [("time.sleep(60)", False), ("exec('while True: pass')", True)]
)
def test_a_thread_is_busy_while_it_computes(program: str, busy: bool) -> None:
    with start(program) as process:
        try:
            (task,) = waiting.busiest(process.pid, 1)
            assert waiting.is_busy(task) == busy
        finally:
            process.kill()
    assert not waiting.is_busy(task)  # it has ended


def test_idle_time_is_a_part_of_all_time() -> None:
    idle, total = waiting.machine_ticks()
    assert 0 <= idle < total
