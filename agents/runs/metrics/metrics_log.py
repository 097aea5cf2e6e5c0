"""The metrics of a run: one line of JSON per report, and the same as curves of other programs."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.runs.json_lines import JsonLines
from agents.runs.metrics.curves import Curves, TensorBoard, WandB
from agents.runs.side_work import SideWork

METRICS = "metrics.jsonl"


class MetricsLog:
    """`metrics.jsonl` and `tensorboard/` of a run folder, and Weights & Biases if asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, JsonLines(folder / METRICS)
        self._curves: list[Curves] = [TensorBoard(folder)]
        self.side_work = SideWork()
        """Counts lines and points that were lost."""

    def use_wandb(self, project: str) -> None:
        """Log to a project of Weights & Biases too."""
        self._curves.append(WandB(self.folder, project))

    def drop_after(self, frame: int) -> None:
        """Drop the lines and points after a frame, from which the run resumes."""
        for curves in self._curves:
            curves.first_frame = frame + 1
        self.lines.drop_after(frame)

    def log(self, metrics: Mapping[str, Any], frame: int) -> None:
        """Add a line and points; if that fails they are lost and the run continues."""
        numbers = {name: _number(value) for name, value in metrics.items()}
        line = {"frame": frame, "time": round(time.time(), 3), **numbers}
        with self.side_work.attempt(f"log {self.lines.file}"):
            self.lines.append(line)
        known = {name: number for name, number in numbers.items() if number is not None}
        self._attempt("add", known, frame)

    def log_video(self, video: Path, frame: int) -> None:
        """Show a video beside the curves; if that fails the run continues without."""
        self._attempt("add_video", video, frame)

    def read(self) -> list[dict[str, Any]]:
        """The lines logged so far."""
        return self.lines.read()

    def close(self) -> None:
        """Flush the curves."""
        self._attempt("close")

    def _attempt(self, method: str, *arguments: Any) -> None:
        """After an error the next points go to a new file: the writer's thread has ended."""
        for curves in self._curves:
            before = self.side_work.num_failures
            with self.side_work.attempt(f"log of curves {curves}"):
                getattr(curves, method)(*arguments)
            if self.side_work.num_failures > before:
                curves.forget()


def _number(value: Any) -> float | int | None:
    """A metric as a JSON number; what is not finite becomes null."""
    number = value.item() if hasattr(value, "item") else value
    if number is None or isinstance(number, int):
        return number
    return float(number) if math.isfinite(number) else None
