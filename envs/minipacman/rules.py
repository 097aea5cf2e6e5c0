"""The rules of Mini Pacman, compiled for a batch of games.

The game is that of Racaniere et al., "Imagination-Augmented Agents for Deep Reinforcement
Learning", 2017 (arXiv:1707.06203), appendix. Santoro et al., "Relational Recurrent Neural
Networks", 2018 (arXiv:1806.01822), section 4.2, play it with a view of 5 x 5 cells.
`rules="release"` follows the program that the first authors published, `rules="paper"` the text of
their appendix: ghosts move at every step and never turn at random, powered Pacman makes two moves a
step, and hunt and ambush levels last 80 steps.

Differs from the released program:
- the penalty for dying is paid once (a blocked ghost was tested twice and could pay it twice);
- a level finished by Pacman's move ends the step, so nothing of the new level happens in it (its
  pills could be eaten and its ghosts moved in the same step).

Differs from the paper's text: powered Pacman crosses the cell between, eating what lies there,
instead of leaping over it, so it cannot leap over a wall.
"""

import numpy as np
from numba import njit

from envs.minipacman.level import begin_level
from envs.minipacman.maze import (
    COLUMN_STEP,
    EMPTY,
    EXITS,
    FOOD,
    NUM_EXITS,
    REVERSE,
    ROW_STEP,
    WALL,
)
from envs.random import below, uniform

POWER_STEPS = 20
"""Edible for the step in which the pill is eaten and the 19 after it."""

REGULAR, AVOID, HUNT, AMBUSH, RUSH = range(5)  # the order of MODES
PER_STEP, PER_FOOD, PER_PILL, PER_GHOST, PER_DEATH = range(5)
REWARDS = np.array(
    [  # step, food, pill, ghost, death
        [0.0, 1.0, 2.0, 5.0, 0.0],  # regular
        [0.1, -0.1, -5.0, -10.0, -20.0],  # avoid
        [0.0, 0.0, 1.0, 10.0, -20.0],  # hunt
        [0.0, -0.1, 0.0, 10.0, -20.0],  # ambush
        [0.0, -0.1, 10.0, 0.0, 0.0],  # rush
    ]
)
LEVEL_STEPS = np.array([[0, 128, 0, 0, 0], [0, 128, 80, 80, 0]])
"""Steps after which a level ends, 0 for never: release rules, then paper rules, by mode."""
FOOD_ENDS_LEVEL = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], np.bool_)


@njit(nogil=True, cache=True)
def advance(game, streams, i, action):
    """One step of one game; the reward."""
    game.frame += 1
    game.timer += 1
    game.power = max(0, game.power - 1)
    level = game.level
    reward = REWARDS[game.mode, PER_STEP] + move_pacman(game, streams, i, action)
    if game.level == level:
        reward += move_ghosts(game, streams, i)
    time_is_up = game.timer == LEVEL_STEPS[int(game.paper), game.mode]
    if game.level == level and time_is_up and not game.died:
        begin_level(game, streams, i)
    return reward


@njit(nogil=True, cache=True, inline="always")
def move_pacman(game, streams, i, action):
    """Pacman's one or two moves, with what they eat; may begin the next level. The reward."""
    moves = 2 if game.paper and game.power > 0 else 1
    level = game.level
    reward = 0.0
    for _ in range(moves):
        game.via_row = game.row
        game.via_column = game.column
        row = game.row + ROW_STEP[action]
        column = game.column + COLUMN_STEP[action]
        if game.cells[row, column] != WALL:
            game.row = row
            game.column = column
        reward += eat(game, streams, i)
        if game.level != level:
            return reward
    if moves == 1:
        game.via_row = game.row
        game.via_column = game.column
    return reward


@njit(nogil=True, cache=True)
def eat(game, streams, i):
    """Eat the food and one pill of Pacman's cell; may begin the next level. The reward."""
    reward = 0.0
    if game.cells[game.row, game.column] == FOOD:
        game.cells[game.row, game.column] = EMPTY
        game.food_left -= 1
        reward += REWARDS[game.mode, PER_FOOD]
        if game.food_left == 0 and FOOD_ENDS_LEVEL[int(game.paper), game.mode]:
            begin_level(game, streams, i)
            return reward
    for pill in range(game.num_pills):
        if game.pill_row[pill] == game.row and game.pill_column[pill] == game.column:
            remove_pill(game, pill)
            game.power = POWER_STEPS
            reward += REWARDS[game.mode, PER_PILL]
            if game.mode == RUSH and game.num_pills == 0:
                begin_level(game, streams, i)
            break
    return reward


@njit(nogil=True, cache=True, inline="always")
def remove_pill(game, pill):
    """Take a pill away; the later ones move up."""
    game.num_pills -= 1
    for k in range(pill, game.num_pills):
        game.pill_row[k] = game.pill_row[k + 1]
        game.pill_column[k] = game.pill_column[k + 1]


@njit(nogil=True, cache=True)
def move_ghosts(game, streams, i):
    """Move the ghosts one after the other until one meets Pacman; the reward.

    Contact is tested before and after each ghost's move, so that swapping cells is contact too.
    """
    speed = ghost_speed(game)
    for ghost in range(game.num_ghosts):
        met = on_pacmans_path(game, ghost)
        if not met and uniform(streams, i) < speed:
            move_ghost(game, streams, i, ghost)
            met = on_pacman(game, ghost)
        if met:
            return meet(game, streams, i, ghost)
    return 0.0


@njit(nogil=True, cache=True, inline="always")
def ghost_speed(game):
    """The probability that a ghost moves in this step."""
    if game.paper:
        return 1.0
    speed = 0.5 + 0.1 * (game.level - 1)
    return 0.5 * speed if game.power > 0 else speed


@njit(nogil=True, cache=True, inline="always")
def on_pacman(game, ghost):
    """Whether a ghost is on Pacman's cell."""
    return game.ghost_row[ghost] == game.row and game.ghost_column[ghost] == game.column


@njit(nogil=True, cache=True, inline="always")
def on_pacmans_path(game, ghost):
    """Whether a ghost is on Pacman's cell, or on the one that Pacman crossed in this step."""
    crossed = game.ghost_row[ghost] == game.via_row and game.ghost_column[ghost] == game.via_column
    return crossed or on_pacman(game, ghost)


@njit(nogil=True, cache=True, inline="always")
def meet(game, streams, i, ghost):
    """Pacman dies, or eats the ghost; eating the last one may begin the next level. The reward."""
    if game.power == 0:
        game.died = True
        return REWARDS[game.mode, PER_DEATH]
    game.num_ghosts -= 1
    for k in range(ghost, game.num_ghosts):
        game.ghost_row[k] = game.ghost_row[k + 1]
        game.ghost_column[k] = game.ghost_column[k + 1]
        game.ghost_direction[k] = game.ghost_direction[k + 1]
    if game.num_ghosts == 0 and (game.mode == HUNT or game.mode == AMBUSH):
        begin_level(game, streams, i)
    return REWARDS[game.mode, PER_GHOST]


@njit(nogil=True, cache=True)
def move_ghost(game, streams, i, ghost):
    """Move one ghost a cell: along corridors, and towards or away from Pacman at junctions."""
    row = game.ghost_row[ghost]
    column = game.ghost_column[ghost]
    if NUM_EXITS[row, column] == 2:
        direction = follow_corridor(game, ghost)
    else:
        direction = choose_exit(game, streams, i, ghost)
    game.ghost_direction[ghost] = direction
    game.ghost_row[ghost] = row + ROW_STEP[direction]
    game.ghost_column[ghost] = column + COLUMN_STEP[direction]


@njit(nogil=True, cache=True, inline="always")
def follow_corridor(game, ghost):
    """Straight on if possible, else the exit (of two) that does not lead back."""
    exits = EXITS[game.ghost_row[ghost], game.ghost_column[ghost]]
    direction = game.ghost_direction[ghost]
    if direction == exits[0] or direction == exits[1]:
        return direction
    return exits[1] if exits[0] == REVERSE[direction] else exits[0]


@njit(nogil=True, cache=True, inline="always")
def choose_exit(game, streams, i, ghost):
    """The exit, except the way back, that leads most towards Pacman, or most away when edible.

    A chasing ghost now and then takes any of them. Ties go to the first in order.
    """
    row = game.ghost_row[ghost]
    column = game.ghost_column[ghost]
    back = REVERSE[game.ghost_direction[ghost]]
    if game.power == 0 and not game.paper and uniform(streams, i) < game.stochasticity:
        return random_exit(streams, i, row, column, back)
    sign = 1 if game.power == 0 else -1
    best = 0
    best_score = -1000
    for k in range(NUM_EXITS[row, column]):
        direction = EXITS[row, column, k]
        towards = ROW_STEP[direction] * (game.row - row)
        towards += COLUMN_STEP[direction] * (game.column - column)
        if direction != back and sign * towards > best_score:
            best = direction
            best_score = sign * towards
    return best


@njit(nogil=True, cache=True, inline="always")
def random_exit(streams, i, row, column, back):
    """Any exit but the way back, all equally likely."""
    number = NUM_EXITS[row, column]
    leads_back = False
    for k in range(number):
        leads_back |= EXITS[row, column, k] == back
    pick = below(streams, i, number - int(leads_back))
    for k in range(number):
        direction = EXITS[row, column, k]
        if direction != back:
            if pick == 0:
                return direction
            pick -= 1
    return back
