"""The maze of Mini Pacman is the published one."""

import numpy as np

from envs.minipacman.maze import EXITS, FREE_CELLS, MAZE, NUM_EXITS, WALLS, distances, neighbours


def test_the_maze_has_the_published_free_cells():
    assert WALLS.shape == (15, 19)
    assert len(FREE_CELLS) == 138
    assert WALLS.sum() == 147


def test_the_maze_is_its_own_mirror_image_both_ways():
    np.testing.assert_array_equal(WALLS, WALLS[::-1])
    np.testing.assert_array_equal(WALLS, WALLS[:, ::-1])


def test_rows_of_the_maze_are_free_where_the_publication_says():
    free = {row: [c for c, mark in enumerate(MAZE[row]) if mark != "#"] for row in range(8)}
    odd = [1, 3, 5, 13, 15, 17]
    assert free[0] == []
    assert free[1] == [1, 2, 3, *range(5, 14), 15, 16, 17]
    assert free[2] == free[4] == odd
    assert free[3] == list(range(1, 18))
    assert free[5] == [1, *range(3, 16), 17]
    assert free[6] == [1, 6, 12, 17]
    assert free[7] == [*range(1, 7), *range(12, 18)]


def test_the_maze_has_no_dead_ends_and_known_junctions():
    exits = NUM_EXITS[~WALLS]
    assert dict(zip(*np.unique(exits, return_counts=True), strict=True)) == {2: 114, 3: 16, 4: 8}


def test_exits_are_listed_right_up_left_down():
    assert EXITS[3, 3].tolist() == [1, 2, 3, 4]
    assert EXITS[1, 1, :2].tolist() == [1, 4]
    assert EXITS[13, 17, :2].tolist() == [2, 3]


def test_distances_have_the_known_diameter_and_mean():
    steps = distances()
    assert steps.max() == 28
    assert abs(steps.mean() - 11.53) < 0.005
    np.testing.assert_array_equal(steps, steps.T)


def test_actions_lead_to_adjacent_cells_or_nowhere():
    lead = neighbours()
    np.testing.assert_array_equal(lead[:, 0], np.arange(138))
    corner = lead[0]
    assert FREE_CELLS[corner].tolist() == [[1, 1], [1, 2], [1, 1], [1, 1], [2, 1]]
