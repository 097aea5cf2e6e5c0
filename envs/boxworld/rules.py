"""The rules of BoxWorld, compiled, for a batch of games.

They are those of the released environment (Zambaldi et al., "Relational Deep Reinforcement
Learning", 2018, box_world of pycolab), which Santoro et al. ("Relational recurrent neural
networks", 2018, section 4.3) play through a window around the agent.

Differs from the release: an episode is truncated at step `max_steps`, not one later.
"""

import numpy as np
from numba import njit

from envs import random
from envs.boxworld.cells import AGENT, BORDER, EMPTY, GEM, KEY, LOCK, PALETTE, WRONG_LOCK
from envs.boxworld.level import draw_objects, empty_cell, place

ROOM = np.dtype(
    [
        ("row", np.int32),
        ("column", np.int32),
        ("held", np.int32),  # colour of the key in hand, or NO_KEY
        ("steps", np.int32),
        ("max_steps", np.int32),
        ("boxes_opened", np.int32),
        ("solution_length", np.int32),
        ("num_distractors", np.int32),
        ("solved", np.bool_),
    ],
    align=True,
)
"""What is known of one game, beside its cells and its random stream."""

NO_KEY = -1
MOVES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
"""Row and column of each action: up, down, left, right."""

GEM_REWARD = 10.0
BOX_REWARD = 1.0
WRONG_BOX_REWARD = -1.0


@njit(cache=True, nogil=True)
def begin(streams, cells, rooms, mask, lengths, distractors, problem):
    """Begin a new episode in the masked games.

    Args:
        lengths: the solution lengths to draw from.
        distractors: the numbers of distractors to draw from.
        problem: length of a distractor branch, number of backward distractors, steps, and the most
            objects there can be.
    """
    distractor_length, num_backward, max_steps, most_objects = problem
    objects = np.empty((most_objects, 2), np.uint8)
    for i in range(len(rooms)):
        if not mask[i]:
            continue
        room = rooms[i]
        room.solution_length = lengths[random.below(streams, i, len(lengths))]
        room.num_distractors = distractors[random.below(streams, i, len(distractors))]
        drawn = (room.solution_length, room.num_distractors, distractor_length, num_backward)
        place(streams, i, cells[i], objects, draw_objects(streams, i, drawn, objects))
        room.row, room.column = empty_cell(streams, i, cells[i])
        room.held = NO_KEY
        room.steps = 0
        room.max_steps = max_steps
        room.boxes_opened = 0
        room.solved = False


@njit(cache=True, nogil=True)
def step(cells, rooms, actions, mask, rewards, terminated, truncated):
    """Advance the masked games by one step."""
    for i in range(len(rooms)):
        if mask[i]:
            rewards[i], terminated[i] = _move(cells[i], rooms[i], MOVES[actions[i]])
            rooms[i].steps += 1
            truncated[i] = not terminated[i] and rooms[i].steps >= rooms[i].max_steps


@njit(cache=True, nogil=True)
def _move(cells, room, move):
    """Try to enter the neighbouring cell; returns the reward and whether the episode ends."""
    row, column = room.row + move[0], room.column + move[1]
    cell = cells[row, column]
    reward, terminated = 0.0, False
    if cell >= LOCK:
        wrong = cell >= WRONG_LOCK
        if room.held != cell - (WRONG_LOCK if wrong else LOCK):
            return reward, terminated
        room.held = NO_KEY  # the key stays in the lock
        room.boxes_opened += not wrong
        reward, terminated = (WRONG_BOX_REWARD, True) if wrong else (BOX_REWARD, False)
    elif cell >= KEY or cell == GEM:
        if cells[row, column + 1] >= LOCK:
            return reward, terminated
        if cell == GEM:
            room.solved = True
            reward, terminated = GEM_REWARD, True
        else:
            room.held = cell - KEY
    elif cell == BORDER:
        return reward, terminated
    cells[row, column] = EMPTY
    room.row, room.column = row, column
    return reward, terminated


@njit(cache=True, nogil=True)
def observe_window(cells, rooms, out, mask):
    """Draw the masked games' windows, centred on the agent: RGB, then the RGB of the held key."""
    size, view = np.uint64(cells.shape[1]), out.shape[1]
    for i in range(len(rooms)):
        if not mask[i]:
            continue
        top, left, red, green, blue = _window(rooms[i], view)
        for r in range(view):
            row = np.uint64(top + r)  # unsigned: a cell above the room is as far out as one below
            for c in range(view):
                column = np.uint64(left + c)
                cell = np.uint8(BORDER)
                if row < size and column < size:
                    cell = cells[i, row, column]
                out[i, r, c, 0] = PALETTE[cell, 0]  # written out: a loop costs twice the time
                out[i, r, c, 1] = PALETTE[cell, 1]
                out[i, r, c, 2] = PALETTE[cell, 2]
                out[i, r, c, 3] = red
                out[i, r, c, 4] = green
                out[i, r, c, 5] = blue
        for channel in range(3):
            out[i, view // 2, view // 2, channel] = PALETTE[AGENT, channel]


@njit(cache=True, nogil=True)
def _window(room, view):
    """First row and column of the agent's window, and the colour of the held key."""
    key = KEY + room.held if room.held != NO_KEY else BORDER
    red, green, blue = PALETTE[key, 0], PALETTE[key, 1], PALETTE[key, 2]
    return np.int64(room.row) - view // 2, np.int64(room.column) - view // 2, red, green, blue


@njit(cache=True, nogil=True)
def observe_room(cells, rooms, out, mask):
    """Draw the masked games' whole rooms; the held key shows in the corner of the border."""
    size = cells.shape[1]
    for i in range(len(rooms)):
        if not mask[i]:
            continue
        for row in range(size):
            for column in range(size):
                for channel in range(3):
                    out[i, row, column, channel] = PALETTE[cells[i, row, column], channel]
        room = rooms[i]
        for channel in range(3):
            out[i, room.row, room.column, channel] = PALETTE[AGENT, channel]
            if room.held != NO_KEY:
                out[i, 0, 0, channel] = PALETTE[KEY + room.held, channel]
