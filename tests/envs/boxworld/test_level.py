"""Every level can be solved, in one way only, and is what was asked for."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.boxworld import BoxWorld, BoxWorldConfig
from envs.boxworld.cells import BORDER, EMPTY, GEM, KEY, LOCK, WRONG_LOCK
from envs.boxworld.level import most_objects
from envs.boxworld.plan import count_unsolvable, solvable


def levels(config: BoxWorldConfig, count: int, seed: int = 0) -> BoxWorld:
    game = BoxWorld(count, config)
    every = np.ones(count, np.bool_)
    game.seed(np.arange(seed, seed + count, dtype=np.uint64), every)
    game.begin(every)
    return game


def reached(game: BoxWorld) -> np.ndarray:
    """The empty cells that each agent can walk to, by flooding."""
    free = game.cells == EMPTY
    flood = np.zeros_like(free)
    flood[np.arange(len(free)), game.rooms["row"], game.rooms["column"]] = True
    while True:
        wider = flood.copy()
        wider[:, 1:] |= flood[:, :-1]
        wider[:, :-1] |= flood[:, 1:]
        wider[:, :, 1:] |= flood[:, :, :-1]
        wider[:, :, :-1] |= flood[:, :, 1:]
        wider &= free
        if (wider == flood).all():
            return flood
        flood = wider


def boxes_of(cells: np.ndarray) -> tuple[list[int], list[tuple[int, int]]]:
    """Contents that lie loose, and pairs of content and lock."""
    loose, boxes = [], []
    for row, column in np.argwhere((cells >= GEM) & (cells < LOCK)):
        right = int(cells[row, column + 1])
        content = int(cells[row, column])
        if right >= LOCK:
            boxes.append((content, right))
        else:
            loose.append(content)
    assert (cells >= LOCK).sum() == len(boxes), "a lock without a content to its left"
    return loose, boxes


def colour(lock: int) -> int:
    return (lock - LOCK) % (WRONG_LOCK - LOCK)


def solve(loose: list[int], boxes: list[tuple[int, int]]) -> list[list[int]]:
    """All ways to the gem that open each box at most once, as the locks opened, by their looks."""
    ways = []

    def follow(held: int, opened: list[int], left: list[tuple[int, int]]) -> None:
        for k, (content, lock) in enumerate(left):
            if colour(lock) == held:
                now = [*opened, lock]
                if content == GEM:
                    ways.append(now)
                else:
                    follow(content - KEY, now, left[:k] + left[k + 1 :])

    for key in loose:
        follow(key - KEY, [], boxes)
    return ways


def assert_objects_keep_apart(cells: np.ndarray) -> None:
    """No object touches another or the border, even diagonally: 8-connected parts are objects."""
    for row, column in np.argwhere((cells >= GEM) & (cells < LOCK)):
        width = 2 if cells[row, column + 1] >= LOCK else 1
        around = cells[row - 1 : row + 2, column - 1 : column + width + 1].copy()
        around[1, 1 : 1 + width] = EMPTY
        assert (around == EMPTY).all()


@pytest.mark.parametrize(("length", "distractors"), [(1, 0), (3, 2), (5, 5)])
def test_each_level_has_one_solution_of_the_length_that_was_asked_for(length, distractors):
    config = BoxWorldConfig(solution_length=(length,), num_distractors=(distractors,))
    game = levels(config, 1500)
    for cells in game.cells:
        loose, boxes = boxes_of(cells)
        assert len(loose) == 1
        assert len(boxes) == length + distractors
        (way,) = solve(loose, boxes)
        assert len(way) == length
        assert all(lock < WRONG_LOCK for lock in way)
        assert len(set(way)) == length
        assert sum(lock >= WRONG_LOCK for _, lock in boxes) == distractors


def test_all_empty_cells_can_be_walked_to_in_20_000_levels():
    game = levels(BoxWorldConfig(), 20_000)
    assert (reached(game) == (game.cells == EMPTY)).all()


def test_every_object_can_be_stepped_on_in_20_000_levels():
    game = levels(BoxWorldConfig(), 20_000)
    floor = reached(game)
    beside = np.zeros_like(floor)
    beside[:, 1:-1, 1:-1] = (
        floor[:, :-2, 1:-1] | floor[:, 2:, 1:-1] | floor[:, 1:-1, :-2] | floor[:, 1:-1, 2:]
    )
    assert beside[game.cells >= GEM].all()


def test_lengths_and_distractors_are_drawn_evenly_and_independently():
    game = levels(BoxWorldConfig(), 60_000)
    pairs = game.rooms["solution_length"] * 10 + game.rooms["num_distractors"]
    counts = [np.sum(pairs == length * 10 + d) for length in range(1, 6) for d in range(6)]
    assert sum(counts) == 60_000
    assert np.abs(np.array(counts) - 2000).max() < 4.5 * 44  # standard deviations


def test_a_room_that_jams_is_laid_out_again_with_the_same_problem():
    config = BoxWorldConfig(solution_length=(5,), num_distractors=(0, 7))
    game = levels(config, 4000)  # with seven distractors most layouts fail
    assert abs(np.mean(game.rooms["num_distractors"] == 7) - 0.5) < 0.035


def test_all_twenty_colours_serve_in_chains_and_in_distractors():
    game = levels(BoxWorldConfig(), 4000)
    for first in (LOCK, WRONG_LOCK):
        seen = np.unique(game.cells[game.cells >= first])
        assert set(range(first, first + 20)) <= set(seen.tolist())
    wrong = game.cells[:, :, 1:] >= WRONG_LOCK
    assert len(np.unique(game.cells[:, :, :-1][wrong])) == 20


def test_the_agent_starts_on_any_empty_cell():
    game = levels(BoxWorldConfig(), 20_000)
    starts = set(zip(game.rooms["row"].tolist(), game.rooms["column"].tolist(), strict=True))
    assert starts == set(itertools.product(range(1, 13), repeat=2))
    own = game.cells[np.arange(20_000), game.rooms["row"], game.rooms["column"]]
    assert (own == EMPTY).all()


def test_boxes_stand_on_all_places_that_leave_a_margin():
    game = levels(BoxWorldConfig(), 4000)
    contents = np.argwhere((game.cells >= GEM) & (game.cells < LOCK))
    assert set(contents[:, 1].tolist()) == set(range(2, 12))
    assert set(contents[:, 2].tolist()) == set(range(2, 10))


def test_a_long_distractor_is_a_chain_that_never_holds_a_key_of_the_solution():
    config = BoxWorldConfig(solution_length=(2,), num_distractors=(2,), distractor_length=3)
    for cells in levels(config, 300).cells:
        loose, boxes = boxes_of(cells)
        assert len(boxes) == 2 + 2 * 3
        (way,) = solve(loose, boxes)
        solution = {colour(lock) for lock in way}
        wrong = [(content, lock) for content, lock in boxes if lock >= WRONG_LOCK]
        assert all(content - KEY not in solution for content, _ in wrong)
        roots = [lock for _, lock in wrong if colour(lock) in solution]
        assert len(roots) == 2
        assert all(content - KEY != colour(lock) for content, lock in wrong)


def test_a_backward_distractor_shows_a_key_of_the_solution_behind_a_lock_without_a_key():
    config = BoxWorldConfig(solution_length=(3,), num_distractors=(0,), num_backward=2)
    for cells in levels(config, 300).cells:
        loose, boxes = boxes_of(cells)
        (way,) = solve(loose, boxes)
        solution = {colour(lock) for lock in way}
        backward = [(content, lock) for content, lock in boxes if lock >= WRONG_LOCK]
        assert len(backward) == 2
        assert all(content - KEY in solution for content, _ in backward)
        assert all(colour(lock) not in solution for _, lock in backward)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_asked_for_the_level_is_sound(data):
    grid_size = data.draw(st.integers(8, 20))
    most = min(most_objects(grid_size), 20)
    length = data.draw(st.integers(1, most - 1))
    distractors = data.draw(st.integers(0, (most - 1 - length) // 2))
    backward = data.draw(st.integers(0, most - 1 - length - 2 * distractors))
    config = BoxWorldConfig(
        grid_size=grid_size,
        solution_length=(length,),
        num_distractors=(distractors,),
        distractor_length=data.draw(st.integers(1, 2)),
        num_backward=backward,
    )
    game = levels(config, 3, seed=data.draw(st.integers(0, 2**32)))
    assert (reached(game) == (game.cells == EMPTY)).all()
    for cells in game.cells:
        edge = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
        assert (edge == BORDER).all()
        assert_objects_keep_apart(cells)
        loose, boxes = boxes_of(cells)
        assert len(loose) == 1
        assert len(boxes) == length + distractors * config.distractor_length + backward
        assert any(all(lock < WRONG_LOCK for lock in way) for way in solve(loose, boxes))


@pytest.mark.parametrize(
    "fields", [{}, {"solution_length": 5, "num_distractors": 5}, {"num_backward": 2}]
)
def test_no_level_is_found_unsolvable(fields):
    game = levels(BoxWorldConfig(**fields), 20_000)
    assert count_unsolvable(game.cells, game.rooms) == 0


SOLVABLE = """
########
#.....a#
#......#
#.bA...#
#......#
#.*B...#
#......#
########
"""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({(1, 6): EMPTY}, False),  # no key lies free
        ({(3, 2): EMPTY, (3, 3): EMPTY}, False),  # a box of the chain is missing
        ({(3, 3): WRONG_LOCK}, False),  # it is a distractor's
        ({(3, 2): KEY + 2}, False),  # it holds another key
        ({(5, 3): EMPTY}, False),  # the gem lies free: no level is so
        ({(1, 5): BORDER, (2, 6): BORDER}, False),  # nobody reaches the key
        ({(4, 3): BORDER, (6, 3): BORDER, (5, 4): BORDER}, False),  # nor the gem's lock
        ({(4, 2): BORDER, (5, 1): BORDER, (6, 2): BORDER}, True),  # the gem is reached through it
        ({(5, 3): LOCK + 1, (3, 2): KEY + 0}, False),  # the chain goes round in a circle
    ],
)
def test_a_level_is_solvable_where_the_chain_can_be_walked(change, expected):
    codes = {"#": BORDER, ".": EMPTY, "*": GEM, "A": LOCK, "B": LOCK + 1, "a": KEY, "b": KEY + 1}
    cells = np.array([[codes[c] for c in row] for row in SOLVABLE.split()], np.uint8)
    for place, code in change.items():
        cells[place] = code
    assert solvable(cells, 1, 1) == expected
