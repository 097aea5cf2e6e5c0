"""What Mini Pacman looks like: observations for the agent, frames and text for people."""

import numpy as np
from numba import njit

from envs.drawing import Mark
from envs.minipacman.maze import COLUMNS, FOOD, ROWS, WALL
from envs.minipacman.rules import POWER_STEPS
from envs.words import as_words, store

YELLOW, CYAN, GREEN, GHOST = range(3, 7)
PALETTE = np.array(
    [
        [0, 0, 0],  # EMPTY, WALL and FOOD come first
        [255, 255, 255],
        [0, 0, 255],
        [255, 255, 0],
        [0, 255, 255],
        [0, 255, 0],
        # A ghost by the power that is left: from red at none to yellow at all of it.
        *([255, 255 * power // POWER_STEPS, 0] for power in range(POWER_STEPS + 1)),
    ],
    np.uint8,
)
"""Colours of the contents of cells, by code, and of what is drawn over them."""
FIRST, SECOND = as_words(PALETTE, 0), as_words(PALETTE, 1)


@njit(nogil=True, cache=True, inline="always")
def draw_maze(game, out, i):
    """Draw the whole maze as picture i of uint8 `out` `[N, 15, 19, 3]`."""
    cells, offset, last = game.cells.reshape(-1), 3 * i * ROWS * COLUMNS, ROWS * COLUMNS - 1
    for k in range(0, last, 2):
        store(out, offset + 3 * k, FIRST[cells[k]] | SECOND[cells[k + 1]])
    for channel in range(3):  # a word would reach into another game's picture
        out[i, ROWS - 1, COLUMNS - 1, channel] = PALETTE[cells[last], channel]


@njit(nogil=True, cache=True, inline="always")
def draw_window(game, out, i, view, top, left):
    """Draw the part of the maze that has (top, left) as its corner, walls beyond it."""
    for r in range(view):
        row = min(max(top + r, 0), ROWS - 1)  # beyond the outer wall as on it
        for c in range(view):
            code = game.cells[row, min(max(left + c, 0), COLUMNS - 1)]
            for channel in range(3):
                out[i, r, c, channel] = PALETTE[code, channel]


@njit(nogil=True, cache=True)
def draw_things(game, out, i, top, left):
    """Draw what is over the maze, where (top, left) is the corner of the picture."""
    # Colours are cast because `dot` would be compiled for each constant anew.
    if game.power_bar:
        # The bar lies in the bottom wall and shrinks towards its left end.
        for column in range(-(-COLUMNS * game.power // POWER_STEPS)):
            dot(out, i, ROWS - 1 - top, column - left, np.int64(YELLOW))
    for pill in range(game.num_pills):
        dot(out, i, game.pill_row[pill] - top, game.pill_column[pill] - left, np.int64(CYAN))
    for ghost in range(game.num_ghosts):
        row, column = game.ghost_row[ghost] - top, game.ghost_column[ghost] - left
        dot(out, i, row, column, GHOST + game.power)
    dot(out, i, game.row - top, game.column - left, np.int64(GREEN))


@njit(nogil=True, cache=True)
def dot(out, i, row, column, code):
    """Colour one cell, if it is in the picture."""
    if 0 <= row < out.shape[1] and 0 <= column < out.shape[2]:
        for channel in range(3):
            out[i, row, column, channel] = PALETTE[code, channel]


def marks(game: np.void) -> list[Mark]:
    """What lies over the maze: `P` Pacman, `G` a ghost (`g` edible), `o` a pill."""
    ghost = "g" if game["power"] > 0 else "G"
    things = [("pill", "o", game["num_pills"]), ("ghost", ghost, game["num_ghosts"])]
    found = {
        (int(game[f"{name}_row"][i]), int(game[f"{name}_column"][i])): symbol
        for name, symbol, count in things
        for i in range(count)
    }
    found[int(game["row"]), int(game["column"])] = "P"
    return [Mark(*place, symbol) for place, symbol in found.items()]


def text(game: np.void) -> str:
    """One game in characters: those of `marks`, `.` food, `#` wall."""
    shown = np.full((ROWS, COLUMNS), " ")
    shown[game["cells"] == WALL] = "#"
    shown[game["cells"] == FOOD] = "."
    for row, column, symbol in marks(game):
        shown[row, column] = symbol
    status = f"level {game['level']}  score {game['score']:g}  power {game['power']}"
    return "\n".join(["".join(row) for row in shown] + [status])
