"""The metrics of a run: one line of JSON per report, and the same as TensorBoard curves."""

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.runs.atomic import atomic_write

METRICS = "metrics.jsonl"
_log = logging.getLogger(__name__)


class MetricsLog:
    """`metrics.jsonl` and `tensorboard/` of a run folder."""

    def __init__(self, folder: Path) -> None:
        self.file, self.tensorboard = folder / METRICS, folder / "tensorboard"
        self._first_frame: int | None = None
        self._curves: Any = None

    def drop_after(self, frame: int) -> None:
        """Drop the lines and points after a frame, from which the run resumes."""
        self._first_frame = frame + 1
        if self.file.exists():
            lines = self.file.read_text(errors="replace").splitlines(keepends=True)
            atomic_write(self.file, "".join(line for line in lines if _is_until(line, frame)))

    def log(self, metrics: Mapping[str, Any], frame: int) -> None:
        """Add a line and points; if the disk is full they are lost and the run continues."""
        numbers = {name: _number(value) for name, value in metrics.items()}
        line = {"frame": frame, "time": round(time.time(), 3), **numbers}
        try:
            with self.file.open("a") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
            for name, number in numbers.items():
                if number is not None:
                    self._writer().add_scalar(name, number, frame)
        except OSError as error:
            _log.warning("The metrics of frame %d are not written: %s", frame, error)

    def read(self) -> list[dict[str, Any]]:
        """The lines logged so far."""
        if not self.file.exists():
            return []
        return [line for text in self.file.read_text().splitlines() if (line := _parsed(text))]

    def close(self) -> None:
        """Flush the curves."""
        if self._curves is not None:
            self._curves.close()
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


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) and isinstance(parsed.get("frame"), int) else None


def _is_until(line: str, frame: int) -> bool:
    """Whether a line is complete and not later than a frame."""
    parsed = _parsed(line) if line.endswith("\n") else None
    return parsed is not None and parsed["frame"] <= frame
