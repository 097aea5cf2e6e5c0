"""The one maze of Mini Pacman: 15 x 19 cells, no tunnels, no dead ends, no ghost house.

The tables below are read by the compiled rules, which freeze them as constants.
"""

import numpy as np

UPPER_ROWS = (
    "###################",
    "#...#.........#...#",
    "#.#.#.#######.#.#.#",
    "#.................#",
    "#.#.#.#######.#.#.#",
    "#.#.............#.#",
    "#.####.#####.####.#",
)
MIDDLE_ROW = "#......#####......#"
MAZE = (*UPPER_ROWS, MIDDLE_ROW, *reversed(UPPER_ROWS))
"""Row 0 on top; `#` is wall, `.` is free."""

ROWS, COLUMNS = 15, 19

# Codes of the contents of cells.
EMPTY, WALL, FOOD = 0, 1, 2

# Actions, and the directions in which ghosts look.
STAY, RIGHT, UP, LEFT, DOWN = range(5)
ROW_STEP = np.array([0, 0, -1, 0, 1], np.int64)
COLUMN_STEP = np.array([0, 1, 0, -1, 0], np.int64)
REVERSE = np.array([STAY, LEFT, DOWN, RIGHT, UP], np.int64)

WALLS = np.array([[character == "#" for character in row] for row in MAZE])
FULL_OF_FOOD = np.where(WALLS, WALL, FOOD).astype(np.uint8)
"""The maze at the start of a level."""

FREE_CELLS = np.argwhere(~WALLS)
"""`[138, 2]` row and column of each free cell."""
NUM_FREE = len(FREE_CELLS)
FREE_INDEX = np.full((ROWS, COLUMNS), -1, np.int64)
"""The row of `FREE_CELLS` that holds a cell, -1 for walls."""
FREE_INDEX[tuple(FREE_CELLS.T)] = np.arange(NUM_FREE)


def neighbours() -> np.ndarray:
    """Where each action leads from each free cell: indices of free cells, `[138, 5]`."""
    steps = np.stack([ROW_STEP, COLUMN_STEP], axis=1)
    ahead = FREE_CELLS[:, None] + steps
    index = FREE_INDEX[ahead[..., 0], ahead[..., 1]]
    return np.where(index < 0, np.arange(NUM_FREE)[:, None], index)


def exits() -> tuple[np.ndarray, np.ndarray]:
    """The open directions of each cell in the order right, up, left, down: how many, and which.

    `[15, 19]` and `[15, 19, 4]`; zero for walls.
    """
    number = np.zeros((ROWS, COLUMNS), np.int64)
    directions = np.zeros((ROWS, COLUMNS, 4), np.int64)
    for row, column in FREE_CELLS:
        for direction in (RIGHT, UP, LEFT, DOWN):
            if not WALLS[row + ROW_STEP[direction], column + COLUMN_STEP[direction]]:
                directions[row, column, number[row, column]] = direction
                number[row, column] += 1
    return number, directions


def distances() -> np.ndarray:
    """Steps along the shortest path between each two free cells, `[138, 138]`."""
    adjacent = np.zeros((NUM_FREE, NUM_FREE), bool)
    adjacent[np.arange(NUM_FREE)[:, None], neighbours()] = True
    steps = np.full((NUM_FREE, NUM_FREE), -1)
    reached, distance = np.eye(NUM_FREE, dtype=bool), 0
    while (steps < 0).any():
        steps[reached & (steps < 0)] = distance
        reached, distance = reached @ adjacent, distance + 1
    return steps


NUM_EXITS, EXITS = exits()
