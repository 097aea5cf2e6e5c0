"""Many games of Mini Pacman in one pass: each is stepped and drawn while it is in the cache."""

import numpy as np
from numba import njit

from envs.minipacman.draw import draw_maze, draw_things, draw_window
from envs.minipacman.rules import advance

NUM_ACTIONS = 5
USUAL_VIEW = 5
INFO = np.dtype(
    [
        ("level", np.int32),
        ("food_left", np.int32),
        ("power", np.int32),
        ("died", np.bool_),
        ("score", np.float64),
    ],
    align=True,
)
"""The info of one game."""


@njit(nogil=True, cache=True)
def step(games, streams, full, actions, mask, rewards, terminated, truncated, shown, out, info):
    """Advance the games in `mask` by one step and show those in `shown`; returns how many ended.

    If an action is out of range, nothing is done and -1 is returned.
    """
    for action in actions:
        if action < 0 or action >= NUM_ACTIONS:
            return -1
    ended = 0
    for i in range(len(games)):
        game = games[i]
        if mask[i]:
            rewards[i] = advance(game, streams, i, actions[i])
            game.score += rewards[i]
            terminated[i] = game.died
            truncated[i] = game.frame >= game.frame_cap and not game.died
            ended += terminated[i] or truncated[i]
        if shown[i]:
            show_one(game, i, out, info, full)
    return ended


@njit(nogil=True, cache=True, inline="always")
def show_one(game, i, out, info, full):
    """Write observation and info of one game: the whole maze, or a window centred on Pacman."""
    info[i].level = game.level
    info[i].food_left = game.food_left
    info[i].power = game.power
    info[i].died = game.died
    info[i].score = game.score
    view = out.shape[1]
    top = 0 if full else np.int64(game.row) - view // 2
    left = 0 if full else np.int64(game.column) - view // 2
    if full:
        draw_maze(game, out, i)
    elif view == USUAL_VIEW:  # a constant, so that the loops are unrolled: half the time
        draw_window(game, out, i, USUAL_VIEW, top, left)
    else:
        draw_window(game, out, i, view, top, left)
    draw_things(game, out, i, top, left)
