"""The run folder: whole or absent, never overwritten by accident, and its curves go on."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.cli.command_line import parse
from agents.cli.program import Names
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.runs import run as run_module
from agents.runs import versions as versions_module
from agents.runs.folder_lock import FolderLock
from agents.runs.run import Run, RunError, check_run_dir
from memory import LSTMConfig

ROOT = Path(__file__).parents[3]
NAMES = Names("boxworld", "lstm")


def config(folder: Path | None = None, overwrite: bool = False) -> ImpalaConfig:
    return ImpalaConfig(core=LSTMConfig(), seed=3, run_dir=folder, overwrite=overwrite)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_new_run_has_its_folder_with_what_it_ran_on(tmp_path: Path) -> None:
    run = Run.create(config(tmp_path / "x"), NAMES, IMPALA)
    assert {"config.yaml", "versions.json", "metrics.jsonl", "checkpoints"} <= files(run.folder)
    versions = json.loads((run.folder / "versions.json").read_text())
    assert versions["torch"] == torch.__version__ and versions["cpus"] == os.cpu_count()
    assert {"python", "ray", "numpy", "gymnasium", "commit", "platform"} <= versions.keys()
    again = parse(["--config", str(run.folder / "config.yaml")], IMPALA)
    assert again.config.seed == 3 and again.names == NAMES


def test_a_run_is_named_by_what_it_is(tmp_path: Path) -> None:
    first, second = (Run.create(config(), NAMES, IMPALA, tmp_path).folder for _ in range(2))
    assert first != second and files(tmp_path) == {first.name, second.name}
    assert first.name.startswith("boxworld-lstm-3-20")


def test_an_opened_run_is_what_was_created(tmp_path: Path) -> None:
    folder = Run.create(config(tmp_path / "x"), NAMES, IMPALA).folder
    run = Run.open(folder, IMPALA)
    assert run.names == NAMES and run.config == config()


def test_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    with Run.create(config(tmp_path / "x"), NAMES, IMPALA) as first:
        (first.checkpoints / "precious").touch()
    with pytest.raises(RunError, match=r"--resume .*x.*--overwrite"):
        Run.create(config(tmp_path / "x"), NAMES, IMPALA)
    assert (first.checkpoints / "precious").exists()
    Run.create(config(tmp_path / "x", overwrite=True), NAMES, IMPALA)
    assert not (first.checkpoints / "precious").exists()
    assert files(tmp_path) == {"x"}


HOLD = """
import sys
from pathlib import Path
from agents.runs.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held_by_another_process(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A run that another process writes to, and the number of that process."""
    folder = tmp_path / "x"
    Run.create(config(folder), NAMES, IMPALA).close()
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, cwd=ROOT) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        yield folder, holder.pid
        holder.communicate()


def test_a_run_that_is_written_to_is_not_replaced_or_resumed(
    held_by_another_process: tuple[Path, int],
) -> None:
    folder, pid = held_by_another_process
    before = files(folder)
    holder = f"in use by process {pid} on {platform.node()}"
    with pytest.raises(RunError, match=holder):
        check_run_dir(config(folder, overwrite=True))
    with pytest.raises(RunError, match=holder):
        Run.create(config(folder, overwrite=True), NAMES, IMPALA)
    with pytest.raises(RunError, match=holder):
        Run.open(folder, IMPALA).lock()
    assert files(folder) == before


def test_a_run_can_be_resumed_or_replaced_after_the_process_that_wrote_it(tmp_path: Path) -> None:
    run = Run.create(config(tmp_path / "x"), NAMES, IMPALA)
    again = Run.open(run.folder, IMPALA)
    with pytest.raises(RunError, match="in use"):
        again.lock()
    run.close()
    again.lock()
    again.close()
    with Run.create(config(tmp_path / "x", overwrite=True), NAMES, IMPALA) as new:
        with pytest.raises(RunError, match="in use"):
            again.lock()
        assert "old" not in " ".join(files(tmp_path)) and new.folder == again.folder


def test_runs_created_at_once_have_a_folder_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module.time, "strftime", lambda _: "20260101-000000")
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.parent != tmp_path and exists(path))
    runs = []
    for _ in range(6):  # each name looks free, as before another process takes it
        runs.append(Run.create(config(), NAMES, IMPALA, tmp_path))
    assert len({run.folder for run in runs}) == 6 == len(files(tmp_path))


def test_a_named_folder_that_another_process_creates_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Run.create(config(tmp_path / "x"), NAMES, IMPALA):
        monkeypatch.setattr(run_module, "check_run_dir", lambda config: None)
        with pytest.raises(RunError, match=r"x was created by another process"):
            Run.create(config(tmp_path / "x"), NAMES, IMPALA)
    assert files(tmp_path) == {"x"}


def test_a_folder_that_is_no_run_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match="not a run folder"):
        Run.create(config(tmp_path, overwrite=True), NAMES, IMPALA)
    assert files(tmp_path) == {"thesis.tex"}


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert Run.create(config(tmp_path / "x"), NAMES, IMPALA).checkpoints.is_dir()


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_error_leaves_nothing_half_written(
    overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if overwrite:
        Run.create(config(tmp_path / "x"), NAMES, IMPALA).close()
    before = files(tmp_path)

    def fail() -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, "versions", fail)
    with pytest.raises(RunError, match="No space left"):
        Run.create(config(tmp_path / "x", overwrite=overwrite), NAMES, IMPALA)
    assert files(tmp_path) == before


def test_what_is_no_run_folder_is_said_to_be_none(tmp_path: Path) -> None:
    Run.create(config(tmp_path / "there"), NAMES, IMPALA)
    with pytest.raises(RunError, match=r"does not exist\. Runs in .*: there\."):
        Run.open(tmp_path / "their", IMPALA)
    with pytest.raises(RunError, match=r"has no config\.yaml"):
        Run.open(tmp_path, IMPALA)
    (tmp_path / "there" / "config.yaml").write_text("actros: 3")
    with pytest.raises(RunError, match="no option `actros`"):
        Run.open(tmp_path / "there", IMPALA)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A git repository of one committed file in the place of this one."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a.py").write_text("1\n")
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(root), *command], check=True, capture_output=True)
    monkeypatch.setattr(versions_module, "ROOT", root)
    yield root


def test_uncommitted_changes_are_kept_with_the_run(tmp_path: Path, repository: Path) -> None:
    clean = Run.create(config(tmp_path / "clean"), NAMES, IMPALA).folder
    versions = json.loads((clean / "versions.json").read_text())
    assert len(versions["commit"]) == 40 and versions["uncommitted"] == []
    assert not (clean / "git.diff").exists()
    (repository / "a.py").write_text("2\n")
    dirty = Run.create(config(tmp_path / "dirty"), NAMES, IMPALA).folder
    versions = json.loads((dirty / "versions.json").read_text())
    assert versions["uncommitted"] == [" M a.py"]
    assert "+2" in (dirty / "git.diff").read_text()


def test_a_run_outside_a_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions_module, "ROOT", tmp_path / "nowhere")
    found = versions_module.versions()
    assert found["commit"] is None and found["uncommitted"] is None


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


@pytest.mark.parametrize("torn", ['{"frame": 150, "lo', '{"frame": 150, "loss": 9.0}'])
def test_curves_go_on_where_a_run_is_resumed(torn: str, tmp_path: Path) -> None:
    with Run.create(config(tmp_path / "x"), NAMES, IMPALA) as run:
        for frame in (100, 200, 300):
            run.log({"loss": torch.tensor(frame / 100)}, frame)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write(torn)  # killed while it wrote
    with Run.open(run.folder, IMPALA) as run:
        run.resume(200)
        run.log({"loss": 7.0}, 250)
        assert [(line["frame"], line["loss"]) for line in run.metrics()] == [
            (100, 1.0),
            (200, 2.0),
            (250, 7.0),
        ]
    assert curve(run.folder, "loss") == [(100, 1.0), (200, 2.0), (250, 7.0)]
    assert not [name for name in files(run.folder) if "unfinished" in name]


def test_a_resumed_run_remembers_how_far_it_now_goes(tmp_path: Path) -> None:
    run = Run.create(config(tmp_path / "x"), NAMES, IMPALA)
    run.resume(200, replace(config(tmp_path / "x"), frames=77))
    again = Run.open(run.folder, IMPALA)
    assert again.config == replace(config(), frames=77) and again.names == NAMES
    assert run.config.frames == 77
    assert not [name for name in files(run.folder) if "unfinished" in name]


def test_a_run_that_cannot_be_written_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(config(tmp_path / "x"), NAMES, IMPALA)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError, match="No space left"):
        run.resume(200, replace(config(), frames=77))
    assert Run.open(run.folder, IMPALA).config == config()


def test_a_metric_that_is_not_finite_is_null(tmp_path: Path) -> None:
    with Run.create(config(tmp_path / "x"), NAMES, IMPALA) as run:
        run.log({"loss": float("nan"), "n": 3, "return": None}, 1)
    line = (run.folder / "metrics.jsonl").read_text()
    assert '"loss": null, "n": 3, "return": null}' in line


def test_a_full_disk_does_not_end_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = Run.create(config(tmp_path / "x"), NAMES, IMPALA)
    (run.folder / "metrics.jsonl").unlink()
    (run.folder / "metrics.jsonl").mkdir()
    run.log({"loss": 1.0}, 1)
    run.log({"loss": 1.0}, 2)
    assert len(caplog.records) == 1 and "metrics.jsonl failed" in caplog.text
    assert run.num_failures == 2


def test_curves_that_cannot_be_written_do_not_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run.create(config(tmp_path / "x"), NAMES, IMPALA)
    (run.folder / "tensorboard").touch()
    run.log({"loss": 1.0}, 1)
    run.log({"loss": 1.0}, 2)
    run.close()
    assert [line["frame"] for line in run.metrics()] == [1, 2]
    assert caplog.text.count("log of curves") == 1 and run.num_failures == 2


@pytest.mark.parametrize("name", ["metrics.jsonl", "evaluations.jsonl", "output.txt"])
def test_a_run_with_a_link_among_its_files_is_not_written_to(name: str, tmp_path: Path) -> None:
    Run.create(config(tmp_path / "x"), NAMES, IMPALA).close()
    (tmp_path / "x" / name).unlink(missing_ok=True)
    (tmp_path / "x" / name).symlink_to(tmp_path / "mine.txt")
    with pytest.raises(RunError, match=f"{name} is a link to a file"):
        Run.open(tmp_path / "x", IMPALA).lock()
    assert not (tmp_path / "mine.txt").exists()


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    """A run folder from elsewhere must not choose a file of the user that is emptied."""
    (tmp_path / "mine.txt").write_text("words")
    (tmp_path / ".lock").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(OSError):
        FolderLock(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "words"
