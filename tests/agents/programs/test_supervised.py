"""`scripts/supervised.py`: any task with any core, stopped, resumed, judged; and its mistakes."""

import json
import math
import os
import signal
from dataclasses import fields
from functools import partial
from itertools import islice

import pytest
import torch

from agents.benchmark.plan import flags_of
from agents.cli.command_line import parse
from agents.programs.supervised import main
from agents.runs.checkpoint import CheckpointError, accept_config, load
from agents.runs.run import Run
from agents.supervised.program import SUPERVISED
from memory import CORES
from memory.supervised import TASKS, Trainer, build_reader
from memory.supervised.tasks.delayed_recall import DelayedRecall
from tests.memory.supervised.tasks.babi.babi_files import write_babi
from tests.memory.supervised.tasks.language_model.corpus_texts import write_wikitext
from tests.memory.supervised.tasks.small_data import MAKERS, write_data

QUICK = ["--training.batch", "64", "--log-seconds", "0", "--reader.readout", "8", "--threads", "1"]
GRU = ["--core", "gru", "--core.hidden", "8"]
SHORT = ["--task", "delayed_recall", "--task.delay", "1", "--task.length", "2", *GRU]
RECALL = [*SHORT, *QUICK]
PRESET_DATA = MAKERS | {
    "babi": partial(write_babi, tasks=range(1, 21)),
    "wikitext-2": partial(write_wikitext, words=12_000),  # more than presets have cutoffs
}


def log_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def set_options(section, config):
    """The flags of the options that differ from their defaults."""
    defaults, options = type(config)(), {}
    for field in fields(config):
        value = getattr(config, field.name)
        if value != getattr(defaults, field.name):
            value = list(value) if isinstance(value, tuple) else value
            options[f"{section}.{field.name}"] = value
    return flags_of(options)


@pytest.mark.parametrize("core", sorted(CORES))
@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_pair_trains_is_resumed_and_judged(task, core, tmp_path, capsys, monkeypatch):
    def evaluate(trainer, split="test"):  # the whole of it, for every pair, takes minutes
        task = trainer.task
        batches = type(task).held_out
        task.held_out = lambda split: (b.part(slice(4)) for b in islice(batches(task, split), 1))
        return real(trainer, split)

    real = Trainer.evaluate
    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    run = tmp_path / "run"
    flags = ["--task", task, *set_options("task", TASKS[task].small()[""]), "--core", core]
    flags += [*QUICK, "--training.batch", "4", "--validate-every", "2"]
    config = parse(flags, SUPERVISED).config  # a preset of the pair may name other data
    monkeypatch.setenv("ENGRAM_DATA", str(write_data(tmp_path / "data", config.task)))
    if hasattr(config.core, "buffer"):
        longest = config.task.build(1).longest_episode or 1
        flags += ["--core.buffer", str(max(longest, config.core.buffer))]
    assert main([*flags, "--steps", "2", "--run-dir", str(run)]) == 0
    assert main(["--resume", str(run), "--steps", "4"]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["step"] in (2, 4)
    assert all(math.isfinite(value) for value in results["test"].values())
    assert results["measure"] in results["test"] and results["test"].keys() == validated(run)
    assert [line["frame"] for line in log_of(run) if "train/loss" in line] == [1, 2, 3, 4]
    assert f"test of the best, step {results['step']}" in capsys.readouterr().out


def validated(run):
    named = "validation/"
    lines = [line for line in log_of(run) if any(key.startswith(named) for key in line)]
    assert [line["frame"] for line in lines] == [2, 4]
    return {key.removeprefix(named) for key in lines[-1] if key.startswith(named)}


def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path):
    flags = [*RECALL, "--validate-every", "4", "--steps", "10"]
    assert main([*flags, "--run-dir", str(tmp_path / "whole")]) == 0

    def stop(trainer):
        if trainer.updates == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return real(trainer)

    real = Trainer.update
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", stop)
        assert main([*flags, "--run-dir", str(tmp_path / "cut")]) == 0
    assert not (tmp_path / "cut" / "results.json").exists()
    assert load(tmp_path / "cut" / "checkpoints").frame == 6
    assert main(["--resume", str(tmp_path / "cut")]) == 0
    one, other = (load(tmp_path / name / "checkpoints") for name in ("whole", "cut"))
    assert one.frame == other.frame == 10
    for name, weights in one.weights.items():
        assert weights.equal(other.weights[name]), name
    results = [json.loads((tmp_path / n / "results.json").read_text()) for n in ("whole", "cut")]
    assert results[0]["test"] == results[1]["test"]


def test_a_run_that_reaches_the_accuracy_asked_for_ends_and_the_best_is_judged(tmp_path):
    run = tmp_path / "run"
    flags = [*SHORT, "--task.symbols", "2"]
    flags += [*QUICK, "--training.learning-rate", "1e-2", "--validate-every", "20"]
    assert main([*flags, "--stop-at", "0.9", "--steps", "5000", "--run-dir", str(run)]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["step"] < 1000 and results["test"]["accuracy"] > 0.85
    assert results["baselines"] == {"chance": 0.5}
    accuracies = [x["validation/accuracy"] for x in log_of(run) if "validation/accuracy" in x]
    assert results["validation"]["accuracy"] == max(accuracies) >= 0.9


def test_the_last_step_is_judged_and_the_best_outlives_checkpoints_and_resumes(
    tmp_path, monkeypatch
):
    marks = iter([0.3, 0.5, 0.2, 0.9, 0.1])  # of steps 2, 4, 5; then the test; then step 6

    def evaluate(trainer, split="test"):
        return {"loss": 1.0, "accuracy": next(marks), "sequence_accuracy": 0.0}

    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    run = tmp_path / "run"
    flags = ["--task", "delayed_recall", *GRU, *QUICK, "--checkpoint-minutes", "0"]
    assert main([*flags, "--validate-every", "2", "--steps", "5", "--run-dir", str(run)]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["step"] == 4 and results["validation"]["accuracy"] == 0.5
    validated = {x["frame"]: x["validation/accuracy"] for x in log_of(run) if len(x) == 5}
    assert validated == {2: 0.3, 4: 0.5, 5: 0.2}
    assert load(run / "checkpoints").state["best"]["accuracy"] == 0.5


def test_a_run_cut_off_before_its_test_is_tested_when_resumed(tmp_path, capsys):
    run = tmp_path / "run"
    assert main([*RECALL, "--steps", "2", "--run-dir", str(run)]) == 0
    assert main(["--resume", str(run)]) == 2
    assert "has reached its last step, 2; a larger --steps continues it" in capsys.readouterr().err
    results = (run / "results.json").read_text()
    (run / "results.json").unlink()
    assert main(["--resume", str(run)]) == 0
    assert json.loads((run / "results.json").read_text())["test"] == json.loads(results)["test"]


def test_a_run_of_a_gpu_goes_on_in_a_precision_that_the_cpu_has(tmp_path, capsys):
    run = tmp_path / "run"
    assert main([*RECALL, "--steps", "2", "--run-dir", str(run)]) == 0
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("precision: float32", "precision: tf32"))
    accept_config(run / "checkpoints", config.read_bytes())
    resume = ["--resume", str(run), "--steps", "3", "--device", "cpu"]
    assert main(resume) == 2
    assert "precision=tf32: cpu has no instructions for it" in capsys.readouterr().err
    assert main([*resume, "--training.precision", "float32"]) == 0


def test_a_run_that_reached_its_accuracy_is_not_resumed_for_nothing(tmp_path, capsys):
    run = tmp_path / "run"
    flags = [*RECALL, "--stop-at", "0.001", "--validate-every", "1"]
    assert main([*flags, "--steps", "9", "--run-dir", str(run)]) == 0
    assert main(["--resume", str(run)]) == 2
    assert "has reached the accuracy of --stop-at 0.001" in capsys.readouterr().err
    assert main(["--resume", str(run), "--stop-at", "1.0", "--steps", "3"]) == 0


def give_marks(monkeypatch, measure, *marks):
    """Validations and tests, in turn, come to these."""
    marks = iter(marks)
    monkeypatch.setattr(Trainer, "evaluate", lambda trainer, split="test": {measure: next(marks)})


def test_patience_ends_a_run_that_gets_no_better(tmp_path, capsys, monkeypatch):
    give_marks(monkeypatch, "accuracy", 0.3, 0.5, 0.5, 0.4, 0.9, 0.6, 0.7, 0.1, 0.2, 0.3, 0.8)
    run = tmp_path / "run"
    flags = [*RECALL, "--validate-every", "1", "--patience", "2", "--steps", "99"]
    assert main([*flags, "--run-dir", str(run)]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["step"] == 2 and load(run / "checkpoints").frame == 4
    assert main(["--resume", str(run)]) == 2
    assert "has had 2 validations without improvement; a larger" in capsys.readouterr().err
    assert main(["--resume", str(run), "--patience", "3"]) == 0  # 0.7 and three worse
    assert load(run / "checkpoints").frame == 9
    assert json.loads((run / "results.json").read_text())["step"] == 6


def test_a_measure_that_falls_as_it_gets_better_is_kept_at_its_lowest(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(DelayedRecall, "measure", "loss")
    monkeypatch.setattr(DelayedRecall, "lower_is_better", True)
    monkeypatch.setattr(DelayedRecall, "baselines", lambda task: {"good": 0.2, "poor": 0.4})
    give_marks(monkeypatch, "loss", 3.0, 1.5, 2.0, 1.2, 0.7)
    run = tmp_path / "run"
    flags = [*RECALL, "--validate-every", "1", "--stop-at", "1.3", "--steps", "99"]
    assert main([*flags, "--run-dir", str(run)]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["step"] == 4 and results["validation"] == {"loss": 1.2}
    assert results["floor"] == 0.2
    assert load(run / "checkpoints").state["trainer"]["falls"] == 1
    assert main(["--resume", str(run)]) == 2
    assert "has reached the loss of --stop-at 1.3" in capsys.readouterr().err


def test_weights_are_not_taken_up_with_other_data(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(DelayedRecall, "identity", lambda task: "vocabulary a1")
    run = tmp_path / "run"
    assert main([*RECALL, "--steps", "1", "--run-dir", str(run)]) == 0
    monkeypatch.setattr(DelayedRecall, "identity", lambda task: "vocabulary b2")
    assert main(["--resume", str(run), "--steps", "2"]) == 2
    message = capsys.readouterr().err
    assert f"{run} was trained on other data: its identity is vocabulary a1" in message
    assert "that of the present data vocabulary b2" in message
    monkeypatch.setattr(DelayedRecall, "identity", lambda task: "vocabulary a1")
    assert main(["--resume", str(run), "--steps", "2"]) == 0


def test_a_damaged_best_checkpoint_is_said_in_the_results(tmp_path, monkeypatch):
    real = Run.load

    def damaged(self, *, best=False):
        if best:
            raise CheckpointError("The best is damaged.")
        return real(self)

    monkeypatch.setattr(Run, "load", damaged)
    run = tmp_path / "run"
    assert main([*RECALL, "--steps", "1", "--run-dir", str(run)]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["remarks"] == ["The best is damaged. The newest is tested instead."]
    assert results["validation"] == load(run / "checkpoints").state["validation"]


def test_a_validation_that_is_no_number_ends_the_run_and_is_never_the_best(
    tmp_path, capsys, monkeypatch
):
    run = tmp_path / "run"
    monkeypatch.setattr(Trainer, "evaluate", lambda *_: {"accuracy": math.nan})
    assert main([*RECALL, "--steps", "1", "--run-dir", str(run)]) == 3
    assert "the validation's accuracy is nan at update 1" in capsys.readouterr().err
    assert not (run / "results.json").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--training.learning-rate", "inf"], "--training.learning-rate inf: must be finite"),
        (["--reinforcement.discount", "5"], "--reinforcement.discount 5.0: must be from 0 to 1"),
        (
            ["--reinforcement.entropy-cost", "nan"],
            "entropy-cost nan: must be 0 or more",
        ),
        (["--reinforcement.samples", "0"], "--reinforcement.samples 0: must be"),
    ],
)
def test_numbers_that_cannot_train_are_refused(flags, message, tmp_path, capsys):
    run = tmp_path / "run"
    with pytest.raises(SystemExit):
        main([*RECALL, *flags, "--run-dir", str(run)])
    assert message in capsys.readouterr().err and not run.exists()


def test_remarks_and_every_test_stand_in_the_results(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(DelayedRecall, "remarks", lambda task: ["Data were made up."])
    monkeypatch.setattr(DelayedRecall, "tests", ("test", "validation"))
    run = tmp_path / "run"
    assert main([*RECALL, "--steps", "1", "--run-dir", str(run)]) == 0
    results = json.loads((run / "results.json").read_text())
    assert results["remarks"] == ["Data were made up."]
    assert (
        results["test"].keys()
        == results["validation"].keys()
        >= {"loss", "accuracy", "sequence_accuracy"}
    )
    told = capsys.readouterr().out
    assert "Data were made up." in told and "validation of the best, step 1" in told


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--task learning_to_execute --task.programs copy --task.nesting 3", "has no effect"),
        ("--reinforcement.samples 2", "has no effect with a core that decides nothing"),
        ("--seed 100000000000000000000", "must be from 0 to 2^63 - 1"),
        ("--task nth_farthes", "--task nth_farthes: no such task. Did you mean nth_farthest?"),
        ("--core lstn", "--core lstn: no such core. Did you mean lstm?"),
        ("--task.vectorz 3", "--task.vectorz: task nth_farthest has no such option."),
        ("--steps 0", "--steps 0: must be at least 1"),
        ("--stop-at 2", "--stop-at 2.0: expected at most 1, the largest accuracy"),
        ("--task.vectors 0", "vectors=0: must be at least 1"),
        ("--core rmc --core.slots 3", "units=2048: must be a multiple of slots=3"),
        ("--training.batch 0", "--training.batch 0: must be at least 1"),
        (
            "--task delayed_recall --task.delay 40 --core working_memory",
            "buffer=30: WorkingMemory forgets all but its last so many inputs, and the task has "
            "episodes of 48 steps",
        ),
        (
            "--task image_association --task.images drawn --core lstm --training.batch 1",
            "batch=1: must be at least 2; this network normalises by batches",
        ),
        ("--resume nowhere", "--resume nowhere: not a run folder"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(flags, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(flags.split())
    except SystemExit as end:
        status = end.code
    message = capsys.readouterr().err
    assert status == 2 and words in message and "Traceback" not in message
    assert message.startswith("supervised.py: error: ")
    assert not list(tmp_path.iterdir())


def test_a_run_is_not_resumed_with_another_vocabulary(tmp_path, capsys):
    folder, run = write_babi(tmp_path / "babi"), tmp_path / "run"
    flags = ["--task", "babi", "--task.data", str(folder), *GRU, *QUICK]
    assert main([*flags, "--steps", "1", "--run-dir", str(run)]) == 0
    for file in folder.glob("*/*.txt"):
        file.write_text(file.read_text().replace("went", "walked"))
    assert main(["--resume", str(run), "--steps", "2"]) == 2
    message = capsys.readouterr().err
    assert "was trained on other data: its identity is 12 words, at most 5 to a sentence" in message
    assert "that of the present data 12 words" in message and "Traceback" not in message


def test_help_fits_a_screen_and_names_every_task(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in (*TASKS, *CORES)) and len(text.splitlines()) < 50


def test_a_run_of_the_other_program_is_not_resumed(tmp_path, capsys):
    run = tmp_path / "run"
    assert main([*RECALL, "--steps", "1", "--validate-every", "9", "--run-dir", str(run)]) == 0
    with pytest.raises(SystemExit):
        from agents.programs.impala import main as impala

        impala(["--resume", str(run)])
    assert "is of a run of supervised.py" in capsys.readouterr().err


@pytest.mark.parametrize("file", sorted(SUPERVISED.folder.glob("*.yaml")), ids=lambda p: p.name)
def test_every_preset_opens_with_a_command_that_uses_it(file, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path))
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    first = file.read_text().splitlines()[0]
    assert first.startswith("# python scripts/supervised.py ")
    parsed = parse(first.split()[3:], SUPERVISED)
    assert file in parsed.presets
    write_data(tmp_path, parsed.config.task, PRESET_DATA)
    with torch.device("meta"):
        build_reader(parsed.config.task.build(1), parsed.config.core, parsed.config.reader)
