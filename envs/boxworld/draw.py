"""BoxWorld as pictures and text for people."""

import numpy as np

from envs.boxworld.cells import AGENT, EMPTY, GEM, KEY, LOCK, PALETTE, WRONG_LOCK
from envs.boxworld.rules import NO_KEY
from envs.drawing import Mark, enlarge


def draw_frame(cells: np.ndarray, room: np.ndarray) -> np.ndarray:
    """The whole room as RGB; the held key shows in the corner of the border."""
    shown = cells.copy()
    shown[room["row"], room["column"]] = AGENT
    if room["held"] != NO_KEY:
        shown[0, 0] = KEY + room["held"]
    return enlarge(PALETTE[shown])


def marks(cells: np.ndarray, room: np.ndarray) -> list[Mark]:
    """The characters of `draw_text` on all cells but floor and border."""
    marks = [
        Mark(int(row), int(column), character(int(cells[row, column])))
        for row, column in np.argwhere((cells == GEM) | (cells >= KEY))
    ]
    if room["held"] != NO_KEY:
        marks.append(Mark(0, 0, character(KEY + int(room["held"]))))
    return [*marks, Mark(int(room["row"]), int(room["column"]), "@")]


def draw_text(cells: np.ndarray, room: np.ndarray) -> str:
    """The room in characters: @ agent, * gem, a..t keys, A..T locks, # border."""
    shown = cells.copy()
    shown[room["row"], room["column"]] = AGENT
    rows = ["".join(character(int(cell)) for cell in row) for row in shown]
    held = "none" if room["held"] == NO_KEY else character(KEY + int(room["held"]))
    return "\n".join([*rows, f"key: {held}"])


def character(cell: int) -> str:
    """The character of a cell's code."""
    if cell >= LOCK:
        return chr(ord("A") + cell - (WRONG_LOCK if cell >= WRONG_LOCK else LOCK))
    if cell >= KEY:
        return chr(ord("a") + cell - KEY)
    return {EMPTY: ".", GEM: "*", AGENT: "@"}.get(cell, "#")
