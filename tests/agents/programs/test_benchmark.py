"""`scripts/benchmark.py`: many runs from one file, gone on with, and one table in the end."""

import contextlib
import csv
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from agents.benchmark import job, runner, scripted
from agents.benchmark.holder import held
from agents.benchmark.plan import FOLDER, PROGRAMS, check, flags_of, read_plan
from agents.benchmark.report.normalised import scale_of
from agents.benchmark.report.report import notes_of, scores, totals_of
from agents.benchmark.results import Results, Row, collect
from agents.benchmark.sizing import sized_options
from agents.cli.command_line import parse
from agents.cli.invocation import process_command
from agents.impala.config import ImpalaConfig
from agents.programs.benchmark import main
from agents.programs.impala import main as train
from agents.programs.supervised import main as supervise
from memory import CORES, RMCConfig
from memory.supervised.data.data_folder import MissingData
from memory.supervised.tasks.repeat_first import RepeatFirstConfig

ONE_RECIPE = ("memory-report", "one-recipe", "papers-games", "precision")
"""Plans that compare memories: the options of learning are the same for all agents."""
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


class InThisThread:
    """A thread that is none: a run handles Ctrl-C, which only the main thread can."""

    def __init__(self, target, args, daemon):
        self.start = lambda: target(*args)


@pytest.fixture
def in_process(monkeypatch):
    """Runs without a process of their own, which would take seconds each to start."""
    monkeypatch.setattr(runner, "Thread", InThisThread)
    monkeypatch.setattr(scripted, "EPISODES", 5)
    commands = []

    def call(command, stream):
        commands.append(command[2:])
        program = {"supervised.py": supervise, "impala.py": train}[Path(command[1]).name]
        with contextlib.redirect_stderr(stream):
            return program(command[2:]), 1.5

    monkeypatch.setattr(job, "_call", call)
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
    arguments = [str(plan), "--out", str(out), "--jobs", "1"]
    assert main(arguments) == 0
    assert len(in_process) == 4
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [(r["core"], r["seed"]) for r in rows][:2] == [("small", "1"), ("large one", "1")]
    told = json.loads((out / "recall" / "small" / "2" / "results.json").read_text())
    assert float(rows[2]["value"]) == told["test"]["accuracy"]
    assert collect(out, read_plan(plan, out), {}).floors == {"recall": told["floor"]}
    assert told["floor"] == 0.125
    report = (out / "report.md").read_text()
    assert "| recall |" in report and "chance 0.125" in report and "[" in report
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6 and "<td>recall</td>" in page
    assert plan.read_text().rstrip() in report
    assert (out / "report.tex").read_text().count(r"\begin{tabular}") == 3
    assert (out / "scores.svg").is_file() and (out / "curves.pdf").is_file()
    assert main(arguments) == 0 and len(in_process) == 4


def test_an_interrupted_run_is_resumed_and_one_without_checkpoint_begun_again(
    plan, tmp_path, in_process
):
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--jobs", "1"]) == 0
    cut, lost = out / "recall" / "small" / "1", out / "recall" / "small" / "2"
    for run in (cut, lost):
        (run / "results.json").unlink()
    for checkpoint in (lost / "checkpoints").iterdir():
        subprocess.run(["rm", "-r", str(checkpoint)], check=True)
    assert main([str(plan), "--out", str(out), "--jobs", "1"]) == 0
    assert in_process[4] == ["--resume", str(cut), "--steps", "2"]
    assert "--overwrite" in in_process[5] and in_process[5][-1] == str(lost)
    assert (cut / "results.json").exists() and (lost / "results.json").exists()


def test_runs_of_other_settings_are_not_mixed_in(plan, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--jobs", "1"]) == 0
    plan.write_text(PLAN.replace("task.delay: 1", "task.delay: 2"))
    with pytest.raises(SystemExit) as end:
        main([str(plan), "--out", str(out)])
    assert end.value.code == 2 and "a run with other settings" in capsys.readouterr().err


def test_an_option_that_is_newer_than_a_run_has_its_default_there(plan, tmp_path, in_process):
    out = tmp_path / "out"
    arguments = [str(plan), "--out", str(out), "--jobs", "1"]
    assert main(arguments) == 0
    for config in out.glob("*/*/*/config.yaml"):
        lines = config.read_text().splitlines(keepends=True)
        config.write_text("".join(line for line in lines if not line.startswith("data_parallel:")))
        assert len(config.read_text().splitlines()) == len(lines) - 1
    assert main(arguments) == 0 and len(in_process) == 4


@pytest.mark.parametrize("name", ["config.yaml", "results.json"])
def test_a_damaged_file_is_named(name, plan, tmp_path, in_process, capsys):
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--jobs", "1"]) == 0
    (damaged,) = out.glob(f"recall/small/1/{name}")
    damaged.write_text("{")
    with pytest.raises(SystemExit) as end:
        main([str(plan), "--out", str(out), "--jobs", "1"])
    assert end.value.code == 2 and f"{damaged} is damaged" in capsys.readouterr().err


def test_a_run_that_fails_is_named_and_the_others_are_reported(
    plan, tmp_path, monkeypatch, capsys, in_process
):
    runs = job._call

    def call(command, stream):
        if "8" in command:
            stream.write("supervised.py: error: no room\n")
            return 2, 0.1
        return runs(command, stream)

    monkeypatch.setattr(job, "_call", call)
    out = tmp_path / "out"
    assert main([str(plan), "--out", str(out), "--jobs", "1"]) == 1
    assert "error: no room (exit status 2" in capsys.readouterr().err
    report = (out / "report.md").read_text()
    assert "Failed: recall · large one · seed 1: supervised.py: error: no room" in report
    log = list(csv.DictReader((out / "queue.csv").open()))
    assert ["error: no room" in line["error"] for line in log] == [False, True] * 2
    assert main([str(plan), "--out", str(out), "--report-only"]) == 1
    assert (out / "report.md").read_text() == report


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tsks: {}", "no section `tsks`. Did you mean tasks?"),
        ("tasks: {a: {task: logic}}", "`cores` must have at least one"),
        ("tasks: {a: {}}\ncores: {b: {core: gru}}", "line 1: `tasks: a` names no task"),
        ("tasks: {a: {task: logic}}\ncores:\n  lstm: {}", "line 3: `cores: lstm` names no core"),
        (PLAN.replace("{steps", "{taskss: {}, steps"), "line 3: `settings: taskss` has options"),
        (PLAN.replace("{steps", "{taskss: {}, steps"), "Did you mean tasks?"),
        (
            PLAN.replace("core.hidden: 4", "core.hidd: 4"),
            "task `recall` (line 5 of the plan) with core `small` (line 7)",
        ),
        (PLAN.replace("threads: 1", "seed: 1"), "`settings` sets seed"),
        (PLAN.replace("[1, 2]", "[1, 1]"), "several runs would use"),
        (PLAN.replace("large one", "large-one").replace("small", "large one"), "several runs"),
        (PLAN.replace("[1, 2]", "many"), "`seeds` is a list of whole numbers, got 'many'"),
        ("- 1", "expected sections seeds, settings, tasks, environments, cores"),
        ("a: [", "is not valid YAML"),
        ("a: &x {b: 1}\nc: *x", "line 2: aliases and deep nesting"),
        ("seeds: [1]\nseeds: [2]", "line 2: `seeds` is given twice"),
        ("cores: {a: {core: gru}}", "expected `tasks` or `environments`"),
        (PLAN.replace("delay: 1", "delay: 1, cores: [smal]"), "line 5: `tasks: recall: cores`"),
        (PLAN.replace("delay: 1", "delay: 1, cores: [smal]"), "Did you mean small?"),
        (PLAN.replace("delay: 1", "delay: 1, seeds: 3"), "`tasks: recall: seeds` is a list"),
        (PLAN.replace("delay: 1", "delay: 1, published: 3"), "`tasks: recall: published` takes"),
        (
            PLAN.replace("delay: 1", "delay: 1, published: {RMC: most}"),
            "line 5: `tasks: recall: published: RMC` is a number, got 'most'",
        ),
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
    try:
        jobs = read_plan(file, tmp_path)
    except MissingData as error:  # which the cores' sizes depend on
        pytest.skip(str(error))
    configs = [check(job).config for job in jobs]
    if file.stem in ONE_RECIPE:
        agents = [config for config in configs if isinstance(config, ImpalaConfig)]
        assert agents[0].policy.skip and agents[0].policy.output_norm == 0.3
        # The last action would tell what a T-maze has shown: its agents do not see it.
        seeing = [replace(c.policy, last_action=True, last_reward=True) for c in agents]
        assert {*seeing} == {agents[-1].policy}
        # In full view the rate of the recipe makes the policy one action: the plan has a lower one.
        recipe = [c.optimizer for c in agents if getattr(c.env, "view", None) != "full"]
        assert len({*recipe}) == 1 and recipe[0].learning_rate == 1e-3
        assert {replace(c.optimizer, learning_rate=1e-3) for c in agents} == {*recipe}
        assert len({replace(config.loss, reward_scale=1.0) for config in agents}) == 1
        without_core = {
            (job.subject, repr(replace(config, core=CORES["none"](), seed=0)))
            for job, config in zip(jobs, configs, strict=True)
        }
        assert len(without_core) == len({job.subject for job in jobs})
    assert file.read_text().startswith(f"# python scripts/benchmark.py {file.stem} --out ")


def test_a_size_replaces_that_of_a_preset():
    flags = ("--task", "nth_farthest", "--core", "rmc")  # nth_farthest-rmc.yaml has 8 slots
    sized = sized_options(PROGRAMS["tasks"], flags, 20_000)
    core = parse([*flags, *flags_of(sized)], PROGRAMS["tasks"]).config.core
    assert isinstance(core, RMCConfig) and core.slots == RMCConfig().slots != 8
    assert core.build((35,))


def test_a_task_is_read_once_for_the_sizes_of_all_cores(monkeypatch):
    read, build = [], RepeatFirstConfig.build
    monkeypatch.setattr(RepeatFirstConfig, "build", lambda *a: read.append(a) or build(*a))
    flags = ("--task", "repeat_first", "--task.length", "7", "--core")
    for core in ("lstm", "rmc", "entnet"):
        sized_options(PROGRAMS["tasks"], (*flags, core), 20_000)
    assert len(read) == 1


def row(seed, value, is_done=True):
    return Row("tasks", "t", "c", seed, "accuracy", value, 10, 1, 60.0, 30.0, is_done)


def test_of_many_baselines_only_that_of_the_whole_test_is_shown():
    parts = {f"most frequent qa{task}": task / 10 for task in range(1, 8)}
    several = Results([], {"t": {"most frequent": 0.35, **parts}}, [], {}, [], {}, {"t": 0.35})
    assert several.beside("t") == {"most frequent": 0.35}
    few = Results([], {"t": {"chance": 0.1, "rule": 0.35}}, [], {}, [], {}, {"t": 0.35})
    assert few.beside("t") == {"chance": 0.1, "rule": 0.35}


def test_a_cell_is_the_mean_with_its_interval():
    rows = [row(seed, float(seed)) for seed in (1, 2, 3)]
    results = Results(rows, {"t": {"chance": 0.5}}, ["t: a remark"], {}, ["t · c · seed 4"])
    # Of 27 draws of three seeds one is the lowest thrice: more than 2.5 %, so it is the end.
    assert scores(results)[1] == ["t", "2 [1, 3]", "accuracy", "chance 0.5"]
    notes = notes_of(results)
    assert notes[-1] == "t: a remark" and notes[-2] == "Runs without a result: t · c · seed 4."


def test_the_notes_have_what_all_runs_took():
    agent = Row("environments", "a", "c", 1, "solved", 0.5, 10, 3_000_000, 60.0, 5400.0, True)
    results = Results([row(1, 0.5), row(2, 0.5), agent], {}, [], {}, [])
    assert notes_of(results)[1] == "All 3 runs: 3M frames, 2 updates, 1.52 CPU h."


def test_one_seed_has_no_interval():
    row = Row("tasks", "recall", "lstm", 1, "accuracy", 0.4, 10, 1, 60.0, 30.0, True)
    results = Results([row], {"recall": {"chance": 0.2}}, [], {}, [])
    assert scores(results)[1][1] == "0.4"
    assert totals_of(results)[1][1:3] == ["0.250", ""]


def test_a_run_that_has_not_ended_is_reported_as_such():
    results = Results([row(1, 0.5, is_done=False)], {"t": {}}, [], {}, [])
    assert "nfinished runs, with their last evaluation: t · c · seed 1 at 1" in notes_of(results)[2]


def test_nothing_ended_is_nothing_to_report(plan, tmp_path, capsys):
    out = tmp_path / "out"
    assert len(collect(out, read_plan(plan, out), {}).missing) == 4
    with pytest.raises(SystemExit):
        main([str(plan), "--out", str(out), "--report-only"])
    assert "no run has a result yet" in capsys.readouterr().err


AGENTS = """
settings:
  environments:
    {workers: 0, learner-threads: 1, actors: 4, batch: 2, unroll: 5, evaluate-every: 40,
     evaluate-levels: 3, optimizer.schedule: constant, frames: 80, env.max-steps: 9}
environments:
  boxes: {env: boxworld, seeds: [3, 4]}
cores:
  small: {core: gru, core.hidden: 4}
"""


@pytest.fixture
def agents(tmp_path, in_process):
    """A benchmark of agents that was run once."""
    file, out = tmp_path / "agents.yaml", tmp_path / "out"
    file.write_text(AGENTS)
    assert main([str(file), "--out", str(out), "--jobs", "1"]) == 0
    return file, out, in_process


def test_agents_are_evaluated_while_they_learn_and_tested_in_the_end(agents):
    _, out, commands = agents
    assert len(commands) == 2
    run = out / "boxes" / "small" / "3"
    lines = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == [40, 80]
    assert all(line["levels"] == 3 and line["measure"] == "solved" for line in lines)
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert [(r["seed"], r["step"], r["is_done"]) for r in rows] == [
        ("3", "80", "True"),
        ("4", "80", "True"),
    ]
    evaluations = list(csv.DictReader((out / "evaluations.csv").open()))
    assert [(r["core"], r["seed"], r["frame"]) for r in evaluations] == [
        ("small", seed, frame) for seed in ("3", "4") for frame in ("40", "80")
    ]
    assert [float(r["value"]) for r in evaluations[:2]] == [line["solved"] for line in lines]
    report = (out / "report.md").read_text()
    assert all(f"{name} " in report for name in ("random", "greedy", "explorer", "oracle"))
    assert "`python scripts/impala.py --workers 0" in report
    log = list(csv.DictReader((out / "queue.csv").open()))
    assert [line["last_frame"] for line in log] == ["80", "80"]
    assert sum(float(line["cpu_seconds"]) for line in log) == 3.0


def test_published_scores_stand_beside_the_players(agents):
    file, out, commands = agents
    published = "published: {others 2020: 1.25}, seeds"
    file.write_text(AGENTS.replace("seeds", published))
    assert main([str(file), "--out", str(out), "--report-only"]) == 0 and len(commands) == 2
    assert ", others 2020 1.25" in (out / "report.md").read_text()
    results = collect(out, read_plan(file, out), {})
    assert scale_of(results, "boxes").perfect == 1.25
    assert "others 2020" not in results.baselines["boxes"]


def test_a_plan_of_more_frames_continues_the_runs(agents):
    file, out, commands = agents
    file.write_text(AGENTS.replace("frames: 80", "frames: 120"))
    assert main([str(file), "--out", str(out), "--jobs", "1"]) == 0
    assert commands[2] == ["--resume", str(out / "boxes/small/3"), "--frames", "120"]
    lines = (out / "boxes/small/3/evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [40, 80, 120]


def test_a_plan_of_more_updates_continues_the_runs(plan, tmp_path, in_process):
    command = [str(plan), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert main(command) == 0 and len(in_process) == 4
    plan.write_text(PLAN.replace("steps: 2", "steps: 3"))
    assert main(command) == 0
    assert [call[:1] + call[2:] for call in in_process[4:]] == [["--resume", "--steps", "3"]] * 2


def test_a_run_that_ended_early_is_not_continued(plan, tmp_path, in_process):
    command = [str(plan), "--out", str(tmp_path / "out"), "--jobs", "1"]
    early = PLAN.replace("{steps: 2", "{stop_at: 0.01, steps: 2").replace(", steps: 3", "")
    plan.write_text(early)
    assert main(command) == 0 and len(in_process) == 4
    plan.write_text(early.replace("steps: 2", "steps: 3"))
    assert main(command) == 0 and len(in_process) == 4


def test_a_plan_of_fewer_frames_is_a_run_of_other_settings(agents, capsys):
    file, out, _ = agents
    file.write_text(AGENTS.replace("frames: 80", "frames: 40"))
    with pytest.raises(SystemExit):
        main([str(file), "--out", str(out)])
    assert "a run with other settings" in capsys.readouterr().err


def test_another_plan_into_the_same_folder_is_refused(agents, tmp_path, capsys):
    _, out, _ = agents
    other = tmp_path / "other.yaml"
    other.write_text(PLAN)
    with pytest.raises(SystemExit):
        main([str(other), "--out", str(out)])
    assert "has the runs of the plan agents, not of other" in capsys.readouterr().err


def test_a_queue_is_started_once(agents, capsys):
    file, out, _ = agents
    with held(out, file), pytest.raises(SystemExit):
        main([str(file), "--out", str(out)])
    assert f"is in use by process {os.getpid()} on " in capsys.readouterr().err


def test_a_full_disk_is_waited_for(tmp_path, monkeypatch, capsys):
    free = iter([0, 0, 2 * job.ROOM])
    monkeypatch.setattr(job.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    job.wait_for_room(tmp_path / "run", pause=0.0)
    assert capsys.readouterr().err.count("the disk is full") == 1 and next(free, None) is None


@pytest.mark.slow
def test_a_benchmark_over_ray_comes_to_the_same_numbers(plan, tmp_path):
    for name, more in (("here", []), ("ray", ["--ray"])):
        assert main([str(plan), "--out", str(tmp_path / name), *more]) == 0
    here, ray = (
        [row.split(",")[:5] for row in (tmp_path / name / "results.csv").read_text().splitlines()]
        for name in ("here", "ray")
    )
    assert here == ray


def test_the_programs_are_where_a_run_looks_for_them():
    for program in PROGRAMS.values():
        assert Path(process_command(program.name)[-1]).name == program.name
