"""`scripts/benchmark.py`: many runs from one file, gone on with, and one table in the end."""

import csv
import json
import subprocess
from concurrent.futures import Executor, Future

import pytest

from agents.benchmark.job import SCRIPT
from agents.benchmark.plan import FOLDER, check, read_plan
from agents.benchmark.report import Results, Row, _notes, _scores, collect
from agents.programs import benchmark
from agents.programs.benchmark import main
from agents.programs.supervised import main as supervise

PLAN = """
seeds: [1, 2]
settings: {steps: 2, validate_every: 1, threads: 1, reader.readout: [4]}
tasks:
  recall: {task: delayed_recall, task.length: 1, task.delay: 1}
cores:
  small: {core: gru, core.hidden: 4}
  large one: {core: gru, core.hidden: 8, steps: 3}
"""


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


class InThisThread(Executor):
    """Does what it is given at once: a run listens for Ctrl-C, which only this thread can."""

    def __init__(self, processes):
        assert processes == 1

    def submit(self, function, /, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done


@pytest.fixture
def in_process(monkeypatch):
    """Runs without a process of their own, which would take seconds each to start."""
    monkeypatch.setattr(benchmark, "ThreadPoolExecutor", InThisThread)
    commands = []

    def call(command, stdout, stderr):
        commands.append(command[2:])
        return supervise(command[2:])

    monkeypatch.setattr(subprocess, "call", call)
    return commands


def test_a_plan_is_every_core_on_every_task_with_the_nearest_setting_winning(plan, tmp_path):
    jobs = read_plan(plan, tmp_path / "out")
    assert [(job.core, job.seed) for job in jobs] == [
        ("small", 1),
        ("large one", 1),
        ("small", 2),
        ("large one", 2),
    ]
    configs = [check(job).config for job in jobs]
    assert [c.steps for c in configs] == [2, 3, 2, 3] and configs[2].seed == 2
    assert configs[1].core.hidden == 8 and configs[0].task.delay == 1
    assert configs[0].reader.readout == (4,)
    assert jobs[1].folder == tmp_path / "out" / "recall" / "large-one" / "1"


def test_a_benchmark_runs_reports_and_does_nothing_twice(plan, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    arguments = [str(plan), "--out", str(out), "--processes", "1"]
    assert main(arguments) == 0
    assert len(in_process) == 4
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [(r["core"], r["seed"]) for r in rows][:2] == [("small", "1"), ("large one", "1")]
    told = json.loads((out / "recall" / "small" / "2" / "results.json").read_text())
    assert float(rows[2]["value"]) == told["test"]["accuracy"]
    report = (out / "report.md").read_text()
    assert "| recall |" in report and "chance 0.125" in report and "±" in report
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2 and "<td>recall</td>" in page
    assert main(arguments) == 0 and len(in_process) == 4


def test_an_interrupted_run_is_resumed_and_one_without_checkpoint_begun_again(
    plan, tmp_path, in_process
):
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--processes", "1"]) == 0
    cut, lost = out / "recall" / "small" / "1", out / "recall" / "small" / "2"
    for run in (cut, lost):
        (run / "results.json").unlink()
    for checkpoint in (lost / "checkpoints").iterdir():
        subprocess.run(["rm", "-r", str(checkpoint)], check=True)
    assert main([str(plan), "--out", str(out), "--processes", "1"]) == 0
    assert in_process[4] == ["--resume", str(cut)]
    assert "--overwrite" in in_process[5] and in_process[5][-1] == str(lost)
    assert (cut / "results.json").exists() and (lost / "results.json").exists()


def test_runs_of_other_settings_are_not_mixed_in(plan, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--processes", "1"]) == 0
    plan.write_text(PLAN.replace("task.delay: 1", "task.delay: 2"))
    with pytest.raises(SystemExit) as end:
        main([str(plan), "--out", str(out)])
    assert end.value.code == 2 and "a run of other settings" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.yaml", "results.json"])
def test_a_damaged_file_is_named(name, plan, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--processes", "1"]) == 0
    (damaged,) = out.glob(f"recall/small/1/{name}")
    damaged.write_text("{")
    with pytest.raises(SystemExit) as end:
        main([str(plan), "--out", str(out), "--processes", "1"])
    assert end.value.code == 2 and f"{damaged} is damaged" in capsys.readouterr().err


def test_a_run_that_fails_is_named_and_the_others_are_reported(
    plan, tmp_path, monkeypatch, capsys, in_process
):
    runs = subprocess.call

    def call(command, stdout, stderr):
        if "8" in command:
            stdout.write("supervised.py: error: no room\n")
            stdout.flush()
            return 2
        return runs(command, stdout, stderr)

    monkeypatch.setattr(subprocess, "call", call)
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--processes", "1"]) == 1
    assert "error: no room (exit status 2" in capsys.readouterr().err
    assert "2 runs have not ended" in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tsks: {}", "no section `tsks`. Did you mean tasks?"),
        ("tasks: {a: {task: logic}}", "`cores` must name at least one"),
        (PLAN.replace("core.hidden: 4", "core.hidd: 4"), "task `recall` with core `small`"),
        (PLAN.replace("threads: 1", "seed: 1"), "`settings` sets seed"),
        (PLAN.replace("[1, 2]", "[1, 1]"), "several runs would go to"),
        (PLAN.replace("large one", "large-one").replace("small", "large one"), "several runs"),
        (PLAN.replace("[1, 2]", "many"), "`seeds` is a list of whole numbers, got 'many'"),
        ("- 1", "expected sections seeds, settings, tasks, cores"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_anything_runs(
    text, words, tmp_path, capsys, in_process
):
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    with pytest.raises(SystemExit) as end:
        main([str(file), "--out", str(tmp_path / "out")])
    assert end.value.code == 2 and words in capsys.readouterr().err
    assert not in_process and not (tmp_path / "out").exists()


def test_a_misspelt_benchmark_gets_a_suggestion(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["quik", "--out", str(tmp_path)])
    assert "Did you mean quick?" in capsys.readouterr().err


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_benchmark_of_the_repository_can_be_run(file, tmp_path):
    jobs = read_plan(file, tmp_path)
    assert jobs and all(check(job) for job in jobs)
    assert file.read_text().startswith(f"# python scripts/benchmark.py {file.stem} --out ")


def test_a_cell_is_the_mean_with_its_interval_by_hand():
    rows = [Row("t", "c", seed, "accuracy", value, 10, 1, 60.0) for seed, value in ((1, 1), (2, 3))]
    grid = _scores(Results(rows, {"t": {"chance": 0.5}}, [], 0))
    # Student's t for one degree of freedom is 12.706; the deviation is sqrt(2), over sqrt(2) seeds.
    assert grid[1] == ["t", "2 ± 13", "accuracy", "chance 0.5"]
    assert _notes(Results(rows, {}, ["t: a remark"], 0))[-1] == "t: a remark"


def test_nothing_ended_is_nothing_to_report(plan, tmp_path, capsys):
    assert collect(read_plan(plan, tmp_path)).missing == 4
    with pytest.raises(SystemExit):
        main([str(plan), "--out", str(tmp_path / "out"), "--report-only"])
    assert "no run has ended" in capsys.readouterr().err


@pytest.mark.slow
def test_a_benchmark_over_ray_comes_to_the_same_numbers(plan, tmp_path):
    for name, more in (("here", []), ("ray", ["--ray"])):
        assert main([str(plan), "--out", str(tmp_path / name), *more]) == 0
    here, ray = (
        [row.split(",")[:5] for row in (tmp_path / name / "results.csv").read_text().splitlines()]
        for name in ("here", "ray")
    )
    assert here == ray


def test_the_door_is_where_it_looks_for_it():
    assert SCRIPT.is_file() and SCRIPT.name == "supervised.py"
