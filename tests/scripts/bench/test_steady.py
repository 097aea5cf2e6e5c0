"""What a program is seen to do at steady state: `scripts/bench/steady.py`."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

LEARNS = """
import json, sys, time
begun = time.time()
while True:
    time.sleep(0.05)
    busy = time.process_time() + 0.01  # a tick of the clock that counts CPU time
    while time.process_time() < busy:
        pass
    seconds = time.time() - begun
    line = {"frame": int(5000 * max(0, seconds - 0.2)), "time": begun + seconds}
    print(json.dumps(line), file=open(sys.argv[1], "a"))
"""
TRAINS = """
import os, sys
*flags, _, folder, _, seconds = sys.argv[1:]
assert sys.argv[-4] == "--run-dir" and sys.argv[-2:] == ["--log-seconds", "1"]
print(*flags, folder, file=open({kept!r}, "w"))
os.mkdir(folder)
sys.argv[1:] = [folder + "/metrics.jsonl"]
"""
BURNS = "while True: pass"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURNS!r}])"


def test_frames_per_second_are_those_of_the_program(tmp_path):
    from steady import watch

    progress = tmp_path / "progress"
    command = [sys.executable, "-c", LEARNS, str(progress)]
    steady = watch(command, progress, 0.1, 2.0, tmp_path / "output")
    assert steady.frames_per_second == pytest.approx(5000, rel=0.05)
    assert steady.frames_per_cpu_second > steady.frames_per_second
    assert steady.processes == 1
    assert 0 < steady.proportional_mb <= steady.resident_mb


def test_a_training_of_a_revision_is_watched_in_a_folder_that_is_not_kept(tmp_path):
    import steady

    program, kept = tmp_path / "scripts/impala.py", tmp_path / "folder"
    program.parent.mkdir()
    program.write_text(TRAINS.format(kept=str(kept)) + LEARNS)
    found = steady.watch_training(["--actors", "7"], 0.0, 0.5, tmp_path)
    assert found.frames_per_second > 0
    *flags, folder = kept.read_text().split()
    assert flags == ["--actors", "7"]
    assert not Path(folder).exists()


def test_a_program_that_ends_is_told_with_its_last_words(tmp_path):
    from steady import Ended, watch

    command = [sys.executable, "-c", "raise SystemExit('no such game')"]
    with pytest.raises(Ended, match="status 1: no such game"):
        watch(command, tmp_path / "progress", 0, 1, tmp_path / "output")


def test_a_line_that_is_not_whole_yet_does_not_count(tmp_path):
    from steady import newest

    progress = tmp_path / "progress"
    assert newest(progress) == (0, 0.0)
    progress.write_text('{"frame": 5, "time": 2.0}\n{"frame": 9')
    assert newest(progress) == (5, 2.0)


def test_a_tree_of_processes_counts_and_ends_whole():
    from process_tree import cpu_seconds, end, family, memory

    parent = subprocess.Popen([sys.executable, "-c", PARENT])
    limit = time.monotonic() + 60
    while cpu_seconds(parent.pid) < 0.5 and time.monotonic() < limit:
        time.sleep(0.05)
    members = family(parent.pid)
    assert len(members) == memory(parent.pid).processes == 2
    assert cpu_seconds(parent.pid) >= 0.5  # the parent itself only waits
    (child,) = members - {parent.pid}
    end(parent)
    while child in family(1) and time.monotonic() < limit:
        time.sleep(0.05)
    assert child not in family(1)


def test_cpu_time_of_a_child_that_ended_stays_counted():
    from process_tree import cpu_seconds, end, family

    busy = "import time; [0 for _ in iter(lambda: time.process_time() < 0.5, False)]"
    waits = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {busy!r}])"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{waits}; print(flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    assert len(family(parent.pid)) == 1
    assert cpu_seconds(parent.pid) >= 0.5
    end(parent)
    parent.stdout.close()
