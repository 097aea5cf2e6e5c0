"""Curves of a run for TensorBoard and for Weights & Biases."""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import yaml

CONFIG = "config.yaml"


def check_wandb(project: str | None) -> None:
    """Refuse `--wandb` if its package is missing.

    Raises:
        ValueError: says how to install it.
    """
    if project is not None and importlib.util.find_spec("wandb") is None:
        raise ValueError(f"--wandb {project} needs the package wandb: pip install wandb")


class Curves(ABC):
    """Where curves go; opened with the first point, since the libraries are slow to import."""

    first_frame: int | None = None
    """From which a resumed run replaces earlier points."""
    _writer: Any = None

    @abstractmethod
    def open(self) -> Any:
        """Open what points are written to, and describe the run there."""

    @property
    def writer(self) -> Any:
        """What points are written to."""
        self._writer = self._writer or self.open()
        return self._writer

    @abstractmethod
    def add(self, numbers: Mapping[str, float], frame: int) -> None:
        """Add points."""

    @abstractmethod
    def add_video(self, video: Path, frame: int) -> None:
        """Add a video."""

    @abstractmethod
    def end(self, writer: Any) -> None:
        """Flush and close what `open` returned."""

    def close(self) -> None:
        """Flush the points; further ones open a new file."""
        if self._writer is not None:
            self.end(self._writer)
        self.forget()

    def forget(self) -> None:
        """Open again for the next point."""
        self._writer = None


class TensorBoard(Curves):
    """Curves, settings and videos in the folder `tensorboard` of a run.

    The settings are shown as text, and as hyperparameters by which runs are compared.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder / "tensorboard")

    def open(self) -> Any:
        """A writer, with the settings of the run."""
        board: Any = import_module("torch.utils.tensorboard")
        writer = board.SummaryWriter(str(self), purge_step=self.first_frame)
        text = _config_text(self.folder)
        if text:
            writer.add_text("config", f"```yaml\n{text}\n```")
            for summary in board.summary.hparams(dict(settings(text)), {}):
                writer.file_writer.add_summary(summary)
        return writer

    def add(self, numbers: Mapping[str, float], frame: int) -> None:
        """Add points."""
        for name, number in numbers.items():
            self.writer.add_scalar(name, number, frame)

    def add_video(self, video: Path, frame: int) -> None:
        """Add the gif beside an mp4, which TensorBoard shows as an animated image."""
        kind: Any = import_module("tensorboard.compat.proto.summary_pb2").Summary
        gif = video.with_suffix(".gif")
        if not gif.is_file():
            return
        image = kind.Image(encoded_image_string=gif.read_bytes(), colorspace=3)
        summary = kind(value=[kind.Value(tag="video", image=image)])
        self.writer.file_writer.add_summary(summary, frame)

    def end(self, writer: Any) -> None:
        """Flush and close."""
        writer.close()


class WandB(Curves):
    """Curves and videos in a project of Weights & Biases; one run there for each run folder."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder, self.project = folder, project

    def __str__(self) -> str:
        return f"of Weights & Biases, project {self.project}"

    def open(self) -> Any:
        """A run, new or resumed."""
        wandb: Any = import_module("wandb")
        return wandb.init(
            project=self.project,
            dir=str(self.folder),
            id=self.folder.name,
            name=self.folder.name,
            config=dict(settings(_config_text(self.folder))),
            resume="allow",
        )

    def add(self, numbers: Mapping[str, float], frame: int) -> None:
        """Add points."""
        self.writer.log({**numbers, "frame": frame}, step=frame)

    def add_video(self, video: Path, frame: int) -> None:
        """Add an mp4."""
        wandb: Any = import_module("wandb")
        if video.is_file():
            self.writer.log({"video": wandb.Video(str(video))}, step=frame)

    def end(self, writer: Any) -> None:
        """Flush and close."""
        writer.finish()


def _config_text(folder: Path) -> str:
    file = folder / CONFIG
    return file.read_text() if file.is_file() else ""


def settings(text: str) -> Iterator[tuple[str, bool | str | float | int]]:
    """The settings of a `config.yaml` by their keys, such as `core.hidden`."""
    tree: dict[str, Any] = yaml.safe_load(text) or {}
    for name, value in tree.items():
        section = cast("dict[str, Any]", value if isinstance(value, dict) else {"": value})
        for key, part in section.items():
            plain = part if isinstance(part, bool | int | float) else str(part)
            yield f"{name}.{key}" if key else name, plain
