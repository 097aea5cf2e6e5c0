"""The first and last lines of a run name its folder and ready commands."""

import io
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from agents.impala.program import IMPALA
from agents.runs.messages import command, show_end, show_start
from agents.runs.monitor import Monitor
from agents.runs.run import Run
from agents.supervised.program import SUPERVISED


@pytest.fixture
def printed():
    return io.StringIO()


@pytest.fixture
def monitor(printed):
    return Monitor(100, console=Console(file=printed, width=60))


def a_run(folder, program=IMPALA, best=""):
    for name in ("7", "12"):
        (folder / "checkpoints" / name).mkdir(parents=True)
    if best:
        (folder / "checkpoints" / "best").write_text(best)
    return Run(folder, program.config(), program.usual, program)


def commands(text, name):
    (line,) = [line for line in text.splitlines() if line.split()[0] == name]
    return shlex.split(line)[1:]


def test_the_first_lines_say_what_starts_and_where(monitor, printed):
    show_start(monitor, "boxworld with rmc", Path("runs/a-run"), "cpu, 2 threads", "Ray")
    assert printed.getvalue().splitlines() == [
        "boxworld with rmc",
        "run folder  runs/a-run",
        "device      cpu, 2 threads",
        "starting    Ray",
    ]


def test_the_last_lines_are_commands_that_can_be_pasted(monitor, printed, tmp_path):
    folder = tmp_path / "a run with spaces"
    show_end(monitor, a_run(folder), 50, 100, watched=True)
    text = printed.getvalue()
    assert f"saved     {folder}/checkpoints/12 (frames 50 of 100)" in text
    assert commands(text, "resume") == ["python", "scripts/impala.py", "--resume", str(folder)]
    assert commands(text, "evaluate") == ["python", "scripts/evaluate.py", str(folder)]
    assert commands(text, "record") == ["python", "scripts/record.py", str(folder)]
    assert "best" not in text


def test_a_best_checkpoint_is_named_and_used(monitor, printed, tmp_path):
    show_end(monitor, a_run(tmp_path, best="7"), 50, 100, watched=True)
    assert f"best      {tmp_path}/checkpoints/7" in printed.getvalue()
    assert commands(printed.getvalue(), "record")[-2:] == [str(tmp_path), "--best"]


def test_a_run_that_has_ended_is_continued_with_more_frames(monitor, printed, tmp_path):
    show_end(monitor, a_run(tmp_path), 100, 100, watched=True)
    assert commands(printed.getvalue(), "resume")[-2:] == ["--frames", "200"]


def test_a_supervised_run_has_results_and_curves(monitor, printed, tmp_path):
    (tmp_path / "results.json").touch()
    show_end(monitor, a_run(tmp_path, SUPERVISED), 100, 100, watched=False)
    text = printed.getvalue()
    assert f"results  {tmp_path}/results.json" in text
    assert commands(text, "resume")[-2:] == ["--steps", "200"]
    assert commands(text, "plot")[1] == "scripts/plot.py"
    assert "evaluate" not in text


def test_the_commands_are_those_of_the_installed_program(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/engram"])
    assert command("record.py", "runs/a") == "engram record runs/a"


def test_nothing_is_printed_when_quiet(capsys):
    monitor = Monitor(100, quiet=True)
    show_start(monitor, "boxworld with rmc", Path("runs/a-run"), "cpu", "Ray")
    monitor.note("a note")
    with monitor:
        monitor.update(5, "a line")
    assert capsys.readouterr().out == ""
