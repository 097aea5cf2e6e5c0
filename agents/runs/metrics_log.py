"""The metrics of a run: one line of JSON per report, and the same as TensorBoard curves."""

import math
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents.runs.json_lines import JsonLines
from agents.runs.side_work import SideWork

METRICS = "metrics.jsonl"


class MetricsLog:
    """`metrics.jsonl` and `tensorboard/` of a run folder."""

    def __init__(self, folder: Path) -> None:
        self.lines, self.tensorboard = JsonLines(folder / METRICS), folder / "tensorboard"
        self._first_frame: int | None = None
        self._curves: Any = None
        self.side_work = SideWork()
        """Counts lines and points that were lost."""

    def drop_after(self, frame: int) -> None:
        """Drop the lines and points after a frame, from which the run resumes."""
        self._first_frame = frame + 1
        self.lines.drop_after(frame)

    def log(self, metrics: Mapping[str, Any], frame: int) -> None:
        """Add a line and points; if that fails they are lost and the run continues."""
        numbers = {name: _number(value) for name, value in metrics.items()}
        line = {"frame": frame, "time": round(time.time(), 3), **numbers}
        with self.side_work.attempt(f"log {self.lines.file}"):
            self.lines.append(line)
        with self._curves_attempt():
            for name, number in numbers.items():
                if number is not None:
                    self._writer().add_scalar(name, number, frame)

    def read(self) -> list[dict[str, Any]]:
        """The lines logged so far."""
        return self.lines.read()

    def close(self) -> None:
        """Flush the curves."""
        if self._curves is not None:
            with self._curves_attempt():
                self._curves.close()
            self._curves = None

    @contextmanager
    def _curves_attempt(self) -> Generator[None, None, None]:
        """After an error the next points go to a new file: the writer's thread has ended."""
        before = self.side_work.num_failures
        with self.side_work.attempt(f"log of curves {self.tensorboard}"):
            yield
        if self.side_work.num_failures > before:
            self._curves = None

    def _writer(self) -> Any:
        if self._curves is None:
            # Slow to import, and needed only once there is something to draw.
            from torch.utils.tensorboard import SummaryWriter

            self._curves = SummaryWriter(str(self.tensorboard), purge_step=self._first_frame)
        return self._curves


def _number(value: Any) -> float | int | None:
    """A metric as a JSON number; what is not finite becomes null."""
    number = value.item() if hasattr(value, "item") else value
    if number is None or isinstance(number, int):
        return number
    return float(number) if math.isfinite(number) else None
