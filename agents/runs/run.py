"""The folder of a run: what was asked for, what it ran on, and what it measured.

runs/<env or task>-<core>-<seed>-<time>/
    config.yaml     every option; `--config` with this file repeats the run
    versions.json   of Python, the libraries and this repository
    git.diff        uncommitted changes, if there are any
    metrics.jsonl   one line per report, by frame
    tensorboard/    the same as curves
    checkpoints/    the newest three and the best
    videos/
"""

import importlib.metadata
import json
import logging
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from agents.cli.command_line import load_config
from agents.cli.options import OptionError
from agents.cli.presets import to_yaml
from agents.cli.program import Names, Program

ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("torch", "ray", "numpy", "numba", "gymnasium")
_CONFIG, _METRICS = "config.yaml", "metrics.jsonl"
_log = logging.getLogger(__name__)


class RunError(RuntimeError):
    """A run folder cannot be made or opened; the message says why and what to do."""


class Run:
    """A run folder that exists. Made by `create`, or found by `open`."""

    def __init__(self, folder: Path, config: Any, names: Names, program: Program) -> None:
        self.folder, self.config, self.names, self.program = folder, config, names, program
        self.checkpoints = folder / "checkpoints"
        self.videos = folder / "videos"
        self._metrics = folder / _METRICS
        self._first_frame: int | None = None
        self._curves: Any = None

    @classmethod
    def create(
        cls,
        config: Any,
        names: Names,
        program: Program,
        parent: Path = Path("runs"),
    ) -> "Run":
        """Make the folder of a new run, whole or not at all.

        Args:
            config: `run_dir` says where, `overwrite` whether a run there may go.
            names: of the subject and the core.
            program: whose run it is.
            parent: where the folder goes if `run_dir` is None.
        """
        check_place(config)
        folder = config.run_dir or _fresh_name(parent, config, names)
        unfinished = folder.with_name(f".{folder.name}.unfinished-{os.getpid()}")
        try:
            unfinished.mkdir(parents=True)
            _fill(unfinished, to_yaml(program, config, names))
            _replace(folder, unfinished)
        except OSError as error:
            raise RunError(f"The run folder {folder} cannot be made: {error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return cls(folder, config, names, program)

    @classmethod
    def open(cls, folder: Path, program: Program) -> "Run":
        """Find a run by its folder, to evaluate it or to go on with it; changes nothing there."""
        if not (folder / _CONFIG).is_file():
            what = "has no config.yaml" if folder.is_dir() else "does not exist"
            raise RunError(f"{folder} is not a run folder: it {what}.{_siblings(folder)}")
        try:
            return cls(folder, *load_config(folder / _CONFIG, program), program)
        except OptionError as error:
            raise RunError(f"The run {folder} cannot be read: {error}") from None

    def resume(self, frame: int, config: Any = None) -> None:
        """Go on from a checkpoint: what was logged beyond its frame is dropped; curves go on.

        Args:
            frame: of the checkpoint.
            config: the settings it goes on with, if they changed; `config.yaml` keeps them.
        """
        self._first_frame = frame + 1
        try:
            if config is not None:
                self.config = config
                _rewrite(self.folder / _CONFIG, to_yaml(self.program, config, self.names))
            if self._metrics.exists():
                lines = self._metrics.read_text(errors="replace").splitlines(keepends=True)
                kept = "".join(line for line in lines if _is_until(line, frame))
                _rewrite(self._metrics, kept)
        except OSError as error:
            raise RunError(f"The run folder {self.folder} cannot be written: {error}") from error

    def log(self, metrics: Mapping[str, Any], frame: int) -> None:
        """Add numbers to metrics.jsonl and to the curves; a full disk loses lines, not the run."""
        numbers = {name: _number(value) for name, value in metrics.items()}
        line = {"frame": frame, "time": round(time.time(), 3), **numbers}
        try:
            with self._metrics.open("a") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
            for name, number in numbers.items():
                if number is not None:
                    self._writer().add_scalar(name, number, frame)
        except OSError as error:
            _log.warning("The metrics of frame %d are not written: %s", frame, error)

    def metrics(self) -> list[dict[str, Any]]:
        """The lines logged so far."""
        if not self._metrics.exists():
            return []
        return [line for text in self._metrics.read_text().splitlines() if (line := _parsed(text))]

    def close(self) -> None:
        """Flush the curves."""
        if self._curves is not None:
            self._curves.close()
            self._curves = None

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _writer(self) -> Any:
        if self._curves is None:
            # Slow to import, and needed only once there is something to draw.
            from torch.utils.tensorboard import SummaryWriter

            self._curves = SummaryWriter(
                str(self.folder / "tensorboard"), purge_step=self._first_frame
            )
        return self._curves


def _fresh_name(parent: Path, config: Any, names: Names) -> Path:
    stem = f"{names.subject}-{names.core}-{config.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    number, folder = 1, parent / stem
    while folder.exists():
        number += 1
        folder = parent / f"{stem}-{number}"
    return folder


def check_place(config: Any) -> None:
    """Refuse a `run_dir` that holds something, unless it is a run and may go.

    Raises:
        RunError: says how to resume or overwrite.
    """
    folder = config.run_dir
    if folder is None or not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / _CONFIG).is_file():
        raise RunError(f"--run-dir {folder} exists and is not a run folder; choose another.")
    if not config.overwrite:
        raise RunError(
            f"--run-dir {folder} holds a run already. Go on with it by --resume {folder}, "
            "or lose it by --overwrite."
        )


def _replace(folder: Path, new: Path) -> None:
    """Put a folder in the place of an old one, if there is one; the old one goes last."""
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _rewrite(file: Path, text: str) -> None:
    """Replace the content of a file, all of it or nothing."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(text)
    unfinished.replace(file)


def _fill(folder: Path, config: str) -> None:
    (folder / _CONFIG).write_text(config)
    (folder / "versions.json").write_text(json.dumps(versions(), indent=2) + "\n")
    if changes := _git("diff", "HEAD"):
        (folder / "git.diff").write_text(changes)
    for name in ("checkpoints", "videos"):
        (folder / name).mkdir()
    (folder / _METRICS).touch()


def versions() -> dict[str, Any]:
    """What a run ran on."""
    changed = _git("status", "--porcelain")
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "commit": (_git("rev-parse", "--verify", "HEAD") or "").strip() or None,
        "uncommitted": changed.splitlines() if changed is not None else None,
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "command": sys.argv,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """What git says of this repository; None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _siblings(folder: Path) -> str:
    if not folder.parent.is_dir():
        return ""
    runs = sorted(path.parent.name for path in folder.parent.glob(f"*/{_CONFIG}"))
    return f" {folder.parent} has {', '.join(runs[-5:])}." if runs else ""


def _number(value: Any) -> float | int | None:
    """A metric as JSON takes it: not a number, or infinite, becomes null."""
    number = value.item() if hasattr(value, "item") else value
    if number is None or isinstance(number, int):
        return number
    return float(number) if math.isfinite(number) else None


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) and isinstance(parsed.get("frame"), int) else None


def _is_until(line: str, frame: int) -> bool:
    """Whether a line is whole and not later than a frame."""
    parsed = _parsed(line) if line.endswith("\n") else None
    return parsed is not None and parsed["frame"] <= frame
