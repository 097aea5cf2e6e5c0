"""The metrics of a run: one line of JSON per report, and the same as TensorBoard curves."""

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.runs.json_lines import JsonLines

METRICS = "metrics.jsonl"
_log = logging.getLogger(__name__)


class MetricsLog:
    """`metrics.jsonl` and `tensorboard/` of a run folder."""

    def __init__(self, folder: Path) -> None:
        self.lines, self.tensorboard = JsonLines(folder / METRICS), folder / "tensorboard"
        self._first_frame: int | None = None
        self._curves: Any = None

    def drop_after(self, frame: int) -> None:
        """Drop the lines and points after a frame, from which the run resumes."""
        self._first_frame = frame + 1
        self.lines.drop_after(frame)

    def log(self, metrics: Mapping[str, Any], frame: int) -> None:
        """Add a line and points; if the disk is full they are lost and the run continues."""
        numbers = {name: _number(value) for name, value in metrics.items()}
        line = {"frame": frame, "time": round(time.time(), 3), **numbers}
        try:
            self.lines.append(line)
            for name, number in numbers.items():
                if number is not None:
                    self._writer().add_scalar(name, number, frame)
        except OSError as error:
            _log.warning("The metrics of frame %d are not written: %s", frame, error)

    def read(self) -> list[dict[str, Any]]:
        """The lines logged so far."""
        return self.lines.read()

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
