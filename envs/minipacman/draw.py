"""What Mini Pacman looks like: observations for the agent, frames and text for people."""

import numpy as np
from numba import njit

from envs.minipacman.maze import COLUMNS, FOOD, ROWS, WALL
from envs.minipacman.rules import POWER_STEPS

PALETTE = np.array([[0, 0, 0], [255, 255, 255], [0, 0, 255]], np.uint8)
"""Colours of empty, wall and food."""


@njit(nogil=True, cache=True)
def observe(games, out, mask, full):
    """Draw the masked games into uint8 `out` `[N, H, W, 3]`.

    Either the whole maze, or a window with Pacman in its centre.
    """
    height, width = out.shape[1], out.shape[2]
    for i in range(len(games)):
        if mask[i]:
            top = 0 if full else games[i].row - height // 2
            left = 0 if full else games[i].column - width // 2
            draw(games[i], out[i], top, left)


@njit(nogil=True, cache=True)
def draw(game, out, top, left):
    """Draw the part of a game that has (top, left) as its corner; walls beyond the maze."""
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            row = top + r
            column = left + c
            inside = 0 <= row < ROWS and 0 <= column < COLUMNS
            code = game.cells[row, column] if inside else WALL
            out[r, c, 0] = PALETTE[code, 0]
            out[r, c, 1] = PALETTE[code, 1]
            out[r, c, 2] = PALETTE[code, 2]
    if game.power_bar:
        # The bar lies in the bottom wall and shrinks towards its left end.
        for column in range(-(-COLUMNS * game.power // POWER_STEPS)):
            dot(out, ROWS - 1 - top, column - left, 255, 255, 0)
    for pill in range(game.num_pills):
        dot(out, game.pill_row[pill] - top, game.pill_column[pill] - left, 0, 255, 255)
    edible = 255 * game.power // POWER_STEPS  # from yellow back to red
    for ghost in range(game.num_ghosts):
        row = game.ghost_row[ghost] - top
        dot(out, row, game.ghost_column[ghost] - left, 255, edible, 0)
    dot(out, game.row - top, game.column - left, 0, 255, 0)


@njit(nogil=True, cache=True)
def dot(out, row, column, red, green, blue):
    """Colour one cell, if it is in the picture."""
    if 0 <= row < out.shape[0] and 0 <= column < out.shape[1]:
        out[row, column, 0] = red
        out[row, column, 1] = green
        out[row, column, 2] = blue


def text(game: np.void) -> str:
    """One game in characters: `P` Pacman, `G` a ghost (`g` edible), `o` a pill, `.` food."""
    marks = np.full((ROWS, COLUMNS), " ")
    marks[game["cells"] == WALL] = "#"
    marks[game["cells"] == FOOD] = "."
    pills, ghosts = slice(game["num_pills"]), slice(game["num_ghosts"])
    marks[game["pill_row"][pills], game["pill_column"][pills]] = "o"
    mark = "g" if game["power"] > 0 else "G"
    marks[game["ghost_row"][ghosts], game["ghost_column"][ghosts]] = mark
    marks[game["row"], game["column"]] = "P"
    status = f"level {game['level']}  score {game['score']:g}  power {game['power']}"
    return "\n".join(["".join(row) for row in marks] + [status])
