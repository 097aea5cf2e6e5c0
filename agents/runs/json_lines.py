"""A log of one JSON object per line, each with the frame it is of."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.runs.atomic import atomic_write


class JsonLines:
    """A log file that can be cut at a frame, from which a run resumes."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line, which has a `frame`.

        Raises:
            OSError: the file cannot be written.
        """
        with self.file.open("a") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """The lines logged so far; incomplete ones are left out."""
        if not self.file.exists():
            return []
        return [line for text in self.file.read_text().splitlines() if (line := _parsed(text))]

    def drop_after(self, frame: int) -> None:
        """Drop the lines after a frame."""
        if self.file.exists():
            lines = self.file.read_text(errors="replace").splitlines(keepends=True)
            atomic_write(self.file, "".join(line for line in lines if _is_until(line, frame)))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    match parsed:
        case {"frame": int()}:
            return parsed
        case _:
            return None


def _is_until(line: str, frame: int) -> bool:
    """Whether a line is complete and not later than a frame."""
    parsed = _parsed(line) if line.endswith("\n") else None
    return parsed is not None and parsed["frame"] <= frame
