"""The folder of a run: its settings, what it ran on, and what it measured.

runs/<env or task>-<core>-<seed>-<time>/
    config.yaml     every option; `--config` with this file repeats the run
    versions.json   of Python, the libraries and this repository
    git.diff        uncommitted changes, if there are any
    metrics.jsonl   one line per report, by frame
    tensorboard/    the same as curves
    checkpoints/    the newest three and the best
    videos/
    .lock           held by the process that writes to the folder
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from agents.cli.command_line import load_config
from agents.cli.options import OptionError
from agents.cli.presets import to_yaml
from agents.cli.program import Names, Program
from agents.runs import checkpoint
from agents.runs.atomic import atomic_path, atomic_write
from agents.runs.checkpoint import Checkpoint, accept_config
from agents.runs.folder_lock import LOCK, FolderInUse, FolderLock
from agents.runs.json_lines import JsonLines
from agents.runs.metrics.metrics_log import METRICS, MetricsLog
from agents.runs.saving import milestones
from agents.runs.saving.checkpoint_writer import CheckpointWriter, Outcome
from agents.runs.versions import uncommitted_changes, versions
from agents.runs.zoo import find_run, suggestion

_CONFIG = "config.yaml"
RESULTS = "results.json"
"""File of a run folder: the test of a run that has ended."""


class RunError(RuntimeError):
    """A run folder cannot be created or opened; the message says why and what to do."""


class Run:
    """An existing run folder, from `create` or `open`."""

    def __init__(self, folder: Path, config: Any, names: Names, program: Program) -> None:
        self.folder, self.config, self.names, self.program = folder, config, names, program
        self.checkpoints = folder / "checkpoints"
        self.videos = folder / "videos"
        self._metrics = MetricsLog(folder)
        self.writer = CheckpointWriter()
        self.evaluations = JsonLines(folder / "evaluations.jsonl")
        """Scores of an agent on fresh levels, while it is trained."""
        self._folder_lock: FolderLock | None = None
        self._config_content = b""

    @classmethod
    def plan(cls, config: Any, names: Names, parent: Path = Path("runs")) -> Path:
        """The folder that `create` will use, unless another process takes it in between."""
        return config.run_dir or next(_new_folders(parent, config, names))

    @classmethod
    def create(
        cls,
        config: Any,
        names: Names,
        program: Program,
        parent: Path = Path("runs"),
        planned: Path | None = None,
    ) -> "Run":
        """Create the folder of a new run, complete or not at all, and hold its lock.

        Args:
            config: `run_dir` is the folder, `overwrite` allows to replace an existing run.
            names: of the environment or task, and of the core.
            program: that the run belongs to.
            parent: where to create the folder if `run_dir` is None.
            planned: from `plan`; the folder to use if it is still free.

        Raises:
            RunError: the folder is in use or cannot be written.
        """
        check_run_dir(config)
        new_folders = itertools.chain(
            [planned] if planned and not planned.exists() else [],
            _new_folders(parent, config, names),
        )
        for folder in [config.run_dir] if config.run_dir else new_folders:
            try:
                return cls._create(folder, config, names, program)
            except FileExistsError:  # by another process, in between
                continue
            except OSError as error:
                raise RunError(
                    f"The run folder {folder} cannot be created: {error}. "
                    "Name another by --run-dir."
                ) from error
        raise RunError(f"--run-dir {config.run_dir} was created by another process.")

    @classmethod
    def _create(cls, folder: Path, config: Any, names: Names, program: Program) -> "Run":
        run = cls(folder, config, names, program)
        run.use_wandb(config.wandb)
        may_replace = config.run_dir and config.overwrite and _is_run(folder)
        replaced = _lock(folder) if may_replace else None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(folder, replace=replaced is not None) as unfinished:
                text = to_yaml(program, config, names)
                run._config_content = text.encode()
                _fill(unfinished, text)
                run._folder_lock = FolderLock(unfinished)
        except BaseException:
            run.close()
            raise
        finally:
            if replaced:
                replaced.release()
        return run

    def lock(self) -> None:
        """Hold the folder for this process until `close`; needed to write to an opened run.

        Raises:
            RunError: another process holds it, which is named, or one of its files is a link.
        """
        for file in self.folder.iterdir():
            # In a folder from elsewhere, a link could lead to any file of the user.
            if file.is_symlink() and not file.is_dir() and file.name != LOCK:
                raise RunError(f"{file} is a link to a file: put the file in its place.")
        self._folder_lock = _lock(self.folder)

    @classmethod
    def open(cls, folder: Path, program: Program) -> "Run":
        """Open an existing run to evaluate or resume it; changes nothing.

        Args:
            folder: of the run, or the name of a trained agent that comes with Engram.

        Raises:
            RunError: it is not a run folder, or its configuration cannot be read.
        """
        folder = find_run(folder)
        if not _is_run(folder):
            reason = "has no config.yaml" if folder.is_dir() else "does not exist"
            hint = suggestion(folder) or _siblings(folder)
            raise RunError(f"{folder} is not a run folder: it {reason}. {hint}".rstrip())
        try:
            run = cls(folder, *load_config(folder / _CONFIG, program), program)
            run._config_content = run.config_file.read_bytes()
            return run
        except (OptionError, OSError) as error:
            raise RunError(f"The run {folder} cannot be read: {error}") from None

    def resume(self, frame: int, config: Any = None) -> None:
        """Resume a locked run from a checkpoint: metrics logged after its frame are dropped.

        Args:
            frame: of the checkpoint.
            config: new settings, which `config.yaml` then holds; None keeps the settings.

        Raises:
            RunError: the folder cannot be written.
        """
        try:
            if config is not None:
                self.config = config
                self.use_wandb(config.wandb)
                text = to_yaml(self.program, config, self.names)
                self._config_content = text.encode()
                for checkpoints in (self.checkpoints, self.checkpoints / milestones.FOLDER):
                    accept_config(checkpoints, self._config_content)
                atomic_write(self.config_file, text)
            self._metrics.drop_after(frame)
            self.evaluations.drop_after(frame)
        except OSError as error:
            raise RunError(f"The run folder {self.folder} cannot be written: {error}") from error

    def use_wandb(self, project: str | None) -> None:
        """Log to a project of Weights & Biases too, if one is given."""
        if project is not None:
            self._metrics.use_wandb(project)

    @property
    def config_file(self) -> Path:
        """The settings of the run."""
        return self.folder / _CONFIG

    @property
    def newest(self) -> Path | None:
        """The newest checkpoint, if there is one."""
        return checkpoint.newest(self.checkpoints)

    @property
    def best(self) -> Path | None:
        """The checkpoint that is marked as the best, if one is."""
        return checkpoint.best(self.checkpoints)

    def load(self, *, best: bool = False) -> Checkpoint:
        """Load the newest valid checkpoint, or the best; see `checkpoint.load`."""
        return checkpoint.load(self.checkpoints, best=best, config=self.config_file)

    def save(self, **parts: Any) -> Path:
        """Write a checkpoint; see `checkpoint.save`."""
        self.writer.wait()
        return checkpoint.save(self.checkpoints, config=self._config_content, **parts)

    def start_saving(
        self,
        then: Callable[[Outcome], None],
        *,
        frame: int,
        weights: Mapping[str, Tensor],
        state: Mapping[str, Any],
        best: bool = False,
    ) -> None:
        """Copy what a checkpoint holds, and write it in a thread.

        Args:
            then: takes the outcome, once `writer` passes it on.
        """
        content = checkpoint.snapshot(frame=frame, weights=weights, state=state)
        write = partial(
            checkpoint.write, self.checkpoints, content, config=self._config_content, best=best
        )
        self.writer.start(write, then)

    def start_saving_milestone(
        self, then: Callable[[Outcome], None], frame: int, weights: Mapping[str, Tensor]
    ) -> None:
        """Keep the weights of a frame, to show how the run progressed; see `milestones.write`."""
        content = checkpoint.snapshot(frame=frame, weights=weights, state={})
        write = partial(milestones.write, self.checkpoints, content, self._config_content)
        self.writer.start(write, then)

    def load_milestones(self) -> list[Checkpoint]:
        """What `start_saving_milestone` saved, the earliest first; damaged ones are left out."""
        return checkpoint.load_all(self.checkpoints / milestones.FOLDER, self.config_file)

    def log(self, metrics: Mapping[str, Any], frame: int) -> None:
        """Add metrics; see `MetricsLog.log`."""
        self._metrics.log(metrics, frame)

    @property
    def num_failures(self) -> int:
        """Number of times that metrics could not be written."""
        return self._metrics.side_work.num_failures

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`.

        Raises:
            RunError: it cannot be read.
        """
        try:
            return self._metrics.read()
        except OSError as error:
            raise RunError(f"The run {self.folder} cannot be read: {error}") from None

    def log_video(self, video: Path, frame: int) -> None:
        """Show a video beside the curves; see `MetricsLog.log_video`."""
        self._metrics.log_video(video, frame)

    def close(self) -> None:
        """Wait for the checkpoint that is being written, flush the metrics, release the folder."""
        self.writer.wait()
        self._metrics.close()
        if self._folder_lock:
            self._folder_lock.release()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check_run_dir(config: Any) -> None:
    """Check that `run_dir` is free, or a run that may be overwritten.

    Raises:
        RunError: says how to resume or overwrite.
    """
    folder = config.run_dir
    if folder is None or not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not _is_run(folder):
        raise RunError(f"--run-dir {folder} exists and is not a run folder; choose another.")
    if not config.overwrite:
        raise RunError(
            f"--run-dir {folder} holds a run. Resume it with --resume {folder}, "
            "or replace it with --overwrite."
        )
    _lock(folder).release()


def _is_run(folder: Path) -> bool:
    return (folder / _CONFIG).is_file()


def _lock(folder: Path) -> FolderLock:
    try:
        return FolderLock(folder)
    except FolderInUse as error:
        raise RunError(f"The run folder {error} Wait for it to end, or stop it.") from None
    except OSError as error:
        raise RunError(f"The run folder {folder} cannot be written: {error}") from error


def _new_folders(parent: Path, config: Any, names: Names) -> Iterator[Path]:
    """Names that are not in use."""
    stem = f"{names.subject}-{names.core}-{config.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    names_of_folders = itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2)))
    return (folder for name in names_of_folders if not (folder := parent / name).exists())


def _fill(folder: Path, config: str) -> None:
    folder.mkdir()
    (folder / _CONFIG).write_text(config)
    (folder / "versions.json").write_text(json.dumps(versions(), indent=2) + "\n")
    if changes := uncommitted_changes():
        (folder / "git.diff").write_text(changes)
    for name in ("checkpoints", "videos"):
        (folder / name).mkdir()
    (folder / METRICS).touch()


def _siblings(folder: Path) -> str:
    if not folder.parent.is_dir():
        return ""
    runs = sorted(path.parent.name for path in folder.parent.glob(f"*/{_CONFIG}"))
    return f"Runs in {folder.parent.absolute()}: {', '.join(runs[-5:])}." if runs else ""
