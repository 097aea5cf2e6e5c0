"""A log of one JSON object per line, each with the frame it is of."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.runs.atomic import atomic_write
from memory.regular_file import read_regular

LARGEST = 1 << 28
"""Bytes of a log; a day and a half of training writes some ten million."""


class JsonLines:
    """A log file that can be cut at a frame, from which a run resumes."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line, which has a `frame`.

        Raises:
            OSError: the file cannot be written.
        """
        text = json.dumps(line, allow_nan=False) + "\n"
        with self.file.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # the line before is incomplete: the disk was full
                    text = "\n" + text
            file.write(text.encode())

    def read(self) -> list[dict[str, Any]]:
        """The lines logged so far; incomplete ones are left out.

        Raises:
            OSError: the file cannot be read.
        """
        return [line for text in self._text().splitlines() if (line := _parsed(text))]

    def drop_after(self, frame: int) -> None:
        """Drop the lines after a frame.

        Raises:
            OSError: the file cannot be read or written.
        """
        if self.file.exists():
            lines = self._text().splitlines(keepends=True)
            atomic_write(self.file, "".join(line for line in lines if _is_until(line, frame)))

    def _text(self) -> str:
        if not self.file.exists():
            return ""
        return read_regular(self.file, LARGEST).decode(errors="replace")


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match parsed:
        case {"frame": int(frame)} if 0 <= frame < 1 << 62:
            return parsed
        case _:
            return None


def _is_until(line: str, frame: int) -> bool:
    """Whether a line is complete and not later than a frame."""
    parsed = _parsed(line) if line.endswith("\n") else None
    return parsed is not None and parsed["frame"] <= frame
