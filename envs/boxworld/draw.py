"""BoxWorld as pictures and text for people."""

import numpy as np

from envs.boxworld.cells import AGENT, EMPTY, GEM, KEY, LOCK, PALETTE, WRONG_LOCK
from envs.boxworld.rules import NO_KEY
from envs.pixels import enlarge


def draw_frame(cells: np.ndarray, room: np.ndarray) -> np.ndarray:
    """The whole room as RGB; the held key shows in the corner of the border."""
    shown = cells.copy()
    shown[room["row"], room["column"]] = AGENT
    if room["held"] != NO_KEY:
        shown[0, 0] = KEY + room["held"]
    return enlarge(PALETTE[shown])


def draw_view(observation: np.ndarray) -> np.ndarray:
    """An observation as RGB; a window has an extra column for the held key."""
    if observation.shape[2] == 3:
        return enlarge(observation)
    window, held = observation[..., :3], observation[:1, :1, 3:]
    side = np.zeros((len(window), 2, 3), np.uint8)  # a black gap, then the key in the middle row
    side[len(window) // 2, 1] = held[0, 0]
    return enlarge(np.concatenate([window, side], axis=1))


def draw_text(cells: np.ndarray, room: np.ndarray) -> str:
    """The room in characters: @ agent, * gem, a..t keys, A..T locks, # border."""
    shown = cells.copy()
    shown[room["row"], room["column"]] = AGENT
    rows = ["".join(_character(int(cell)) for cell in row) for row in shown]
    held = "none" if room["held"] == NO_KEY else _character(KEY + int(room["held"]))
    return "\n".join([*rows, f"key: {held}"])


def _character(cell: int) -> str:
    if cell >= LOCK:
        return chr(ord("A") + cell - (WRONG_LOCK if cell >= WRONG_LOCK else LOCK))
    if cell >= KEY:
        return chr(ord("a") + cell - KEY)
    return {EMPTY: ".", GEM: "*", AGENT: "@"}.get(cell, "#")
