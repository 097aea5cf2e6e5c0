"""`scripts/bench/beside.py`: a learner beside one busy process per core."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


def test_ratios_are_those_of_each_round(monkeypatch):
    import beside

    states, rounds = [], iter([(1, 3), (10, 20), (2, 20)])
    now = {"time": 0.0, "round": (0, 0)}

    @contextmanager
    def busy():
        states.append("busy")
        yield
        states.append("quiet")

    def work():
        if states[-1] == "quiet" and calls[-1] != "quiet":
            now["round"] = next(rounds)
        calls.append(states[-1])
        now["time"] += now["round"][states[-1] == "busy"]

    calls = [""]
    states.append("quiet")
    monkeypatch.setattr(beside, "busy", busy)
    monkeypatch.setattr(beside.time, "perf_counter", lambda: now["time"])
    figures = beside.compare(work, rounds=3, calls=2)
    assert calls[1:] == (["quiet"] * 3 + ["busy"] * 3) * 3
    assert figures == {"quiet_ms": 2000, "beside_ms": 20000, "ratio": 3, "worst_ratio": 10}


def test_the_first_call_does_not_count(monkeypatch):
    import beside

    clock = iter([0, 9, *(10, 11), *(20, 23), *(30, 32)])
    monkeypatch.setattr(beside.time, "perf_counter", lambda: next(clock))
    assert beside.wall_time(lambda: None, 3) == 2


def test_one_process_is_held_on_each_core_and_all_end(monkeypatch):
    import beside

    held: list[set[int]] = []
    with pytest.raises(KeyError), beside.busy() as processes:
        held += [os.sched_getaffinity(process.pid) for process in processes]
        assert all(process.poll() is None for process in processes)
        raise KeyError
    assert held == [{cpu} for cpu in sorted(os.sched_getaffinity(0))]
    assert all(process.poll() is not None for process in processes)


def test_no_busy_process_outlives_the_program():
    import beside

    program = f"""
import sys
sys.path += {sys.path!r}
from beside import busy
with busy() as processes:
    print(*(process.pid for process in processes), flush=True)
    input()
"""
    pipe = subprocess.PIPE
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == len(beside.cpus())
    parent.kill()
    parent.communicate()
    limit = time.monotonic() + 60
    while any(map(is_running, pids)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not any(map(is_running, pids))


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The script on one thread, for one round."""
    import beside

    def call(*words):
        flags = ["--cores", "lstm", "--threads", "1", "--rounds", "1", "--updates", "1"]
        monkeypatch.setattr(
            sys, "argv", ["beside.py", "--out", str(tmp_path / "beside.json"), *flags, *words]
        )
        beside.main()
        return json.loads((tmp_path / "beside.json").read_text())

    monkeypatch.setattr(beside.torch, "set_num_threads", lambda _: None)
    return call


def test_a_small_run_times_the_learner_of_a_run(run, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")  # so that it starts no other
    results = run()
    assert results.keys() == {"versions", "load", "limit", "lstm, threads: 1"}
    figures = results["lstm, threads: 1"]
    assert figures["ratio"] == figures["worst_ratio"] > 0
    assert figures["quiet_ms"] > 0 < figures["beside_ms"]


def test_the_last_row_is_of_threads_that_spin(run, monkeypatch):
    import beside

    def start(command, env, **_):
        asked.append((command[2:], env["OMP_WAIT_POLICY"]))
        with open(command[command.index("--out") + 1], "w") as out:
            json.dump({"rmc, threads: 2": {"ratio": 93.0}}, out)

    class Learner:
        def __init__(self, flags):
            asked.append(flags)

        def learn(self):
            pass

    asked = []
    monkeypatch.setattr(beside, "versions", dict)  # which starts git
    monkeypatch.setattr(beside.subprocess, "run", start)
    monkeypatch.setattr(beside, "Agent", Learner)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    results = run("--cores", "rmc", "lstm", "--threads", "2")
    assert results["rmc, threads: 2, spinning"] == {"ratio": 93.0}
    assert asked[:2] == [["--env", "boxworld", "--core", core] for core in ("rmc", "lstm")]
    (flags, policy) = asked[2]
    assert policy == "ACTIVE"
    assert flags[:6] == ["--env", "boxworld", "--cores", "rmc", "--threads", "2"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--threads", "0"], "--rounds, --updates and --threads must be at least 1"),
        (["--out", "nowhere/beside.json"], "there is no folder nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(run, capsys, flags, message):
    with pytest.raises(SystemExit):
        run(*flags)
    assert message in capsys.readouterr().err
