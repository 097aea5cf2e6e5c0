"""The state of one game of Mini Pacman, and how a level is laid out."""

import numpy as np
from numba import njit

from envs.minipacman.maze import COLUMNS, FREE_CELLS, FULL_OF_FOOD, NUM_FREE, ROWS
from envs.random import below

MODES = ("regular", "avoid", "hunt", "ambush", "rush")
NUM_PILLS = 2
MAX_GHOSTS = 64
"""Levels from 127 on have no more ghosts than this; the paper has no bound."""

OPTION_FIELDS = [
    ("mode", np.int32),
    ("paper", np.bool_),
    ("power_bar", np.bool_),
    ("frame_cap", np.int32),
    ("stochasticity", np.float64),
]
OPTIONS = np.dtype(OPTION_FIELDS, align=True)
"""What `set_options` changes; each game keeps, for one episode, what it began with."""

GAME = np.dtype(
    [
        *OPTION_FIELDS,
        ("level", np.int32),
        ("frame", np.int32),
        ("timer", np.int32),
        ("power", np.int32),
        ("food_left", np.int32),
        ("score", np.float64),
        ("died", np.bool_),
        ("row", np.int32),
        ("column", np.int32),
        ("via_row", np.int32),
        ("via_column", np.int32),
        ("cells", np.uint8, FULL_OF_FOOD.shape),
        ("num_pills", np.int32),
        ("pill_row", np.int8, (NUM_PILLS,)),
        ("pill_column", np.int8, (NUM_PILLS,)),
        ("num_ghosts", np.int32),
        ("ghost_row", np.int8, (MAX_GHOSTS,)),
        ("ghost_column", np.int8, (MAX_GHOSTS,)),
        ("ghost_direction", np.int8, (MAX_GHOSTS,)),
    ],
    align=True,
)
"""One game. `level` counts from 1; `frame` counts the steps of the episode and `timer` those of the
level; `power` is how many steps the ghosts stay edible, this one included; (`row`, `column`) is
Pacman's cell and (`via_row`, `via_column`) the one it crossed to get there, the same where it made
at most one move."""


@njit(nogil=True, cache=True)
def begin_level(game, streams, i):
    """Lay out the next level: food everywhere, then pills, Pacman and ghosts at random."""
    game.level += 1
    game.timer = 0
    game.power = 0
    for row in range(ROWS):  # a copy by slices takes seconds to compile
        for column in range(COLUMNS):
            game.cells[row, column] = FULL_OF_FOOD[row, column]
    game.food_left = NUM_FREE
    game.num_pills = NUM_PILLS
    for pill in range(NUM_PILLS):
        cell = below(streams, i, NUM_FREE)
        game.pill_row[pill] = FREE_CELLS[cell, 0]
        game.pill_column[pill] = FREE_CELLS[cell, 1]
    cell = below(streams, i, NUM_FREE)
    game.row = game.via_row = FREE_CELLS[cell, 0]
    game.column = game.via_column = FREE_CELLS[cell, 1]
    game.num_ghosts = min(1 + (game.level - 1) // 2, MAX_GHOSTS)
    for ghost in range(game.num_ghosts):
        place_ghost(game, streams, i, ghost)


@njit(nogil=True, cache=True, inline="always")
def place_ghost(game, streams, i, ghost):
    """Put a ghost on a free cell that is not near Pacman, facing any way, even a wall.

    Near is five cells up and left, but four down and right, as in the released program.
    """
    while True:
        cell = below(streams, i, NUM_FREE)
        down = FREE_CELLS[cell, 0] - game.row
        right = FREE_CELLS[cell, 1] - game.column
        if not (-5 <= down < 5 and -5 <= right < 5):
            break
    game.ghost_row[ghost] = FREE_CELLS[cell, 0]
    game.ghost_column[ghost] = FREE_CELLS[cell, 1]
    game.ghost_direction[ghost] = 1 + below(streams, i, 4)


@njit(nogil=True, cache=True)
def begin(games, streams, mask, options):
    """Begin an episode in the masked games, under the first of `options`."""
    for i in range(len(games)):
        if mask[i]:
            game = games[i]
            game.mode = options[0].mode
            game.paper = options[0].paper
            game.power_bar = options[0].power_bar
            game.frame_cap = options[0].frame_cap
            game.stochasticity = options[0].stochasticity
            game.frame = 0
            game.score = 0.0
            game.died = False
            game.level = 0
            begin_level(game, streams, i)
