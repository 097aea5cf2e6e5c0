"""Scripted players of Mini Pacman: what can be scored without learning."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numba import njit

from envs.minipacman.maze import (
    FOOD,
    FREE_CELLS,
    FREE_INDEX,
    NUM_FREE,
    RIGHT,
    distances,
    neighbours,
)
from envs.minipacman.rules import AMBUSH, HUNT, REGULAR, RUSH
from envs.players import MakePlayer, RandomPlayer
from envs.vector import GameVectorEnv

DISTANCES, NEIGHBOURS = distances(), neighbours()
NOWHERE = 1000
"""More steps than any path has."""


@runtime_checkable
class Mazes(Protocol):
    """What the players look at: the games of a `MiniPacman`."""

    games: np.ndarray
    """Records `[N]` of the dtype `envs.minipacman.level.GAME`."""
    sight: int
    """Rows and columns on each side of Pacman that the agent sees."""


class GreedyPlayer:
    """Goes to the nearest thing worth eating, around the ghosts it sees.

    It knows the maze and where Pacman, food and pills are; of the ghosts it sees those in the
    agent's view. Worth eating are: food in regular mode, pills in rush; in hunt and ambush the
    edible ghosts, or pills while there are none; in avoid nothing.
    """

    def __init__(self, env: GameVectorEnv, seed: int):
        if not isinstance(env.game, Mazes):
            raise ValueError(f"the greedy player plays MiniPacman, not {type(env.game).__name__}")
        self._game = env.game
        self._random = np.random.default_rng(seed)

    def act(self) -> np.ndarray:
        """An action for each game, int64 `[N]`."""
        games = self._game.games
        ghosts = visible_ghosts(games, self._game.sight)
        # Edible in the coming step, whose beginning takes one from the power.
        edible = (games["power"] > 1)[:, None]
        goals = worth_eating(games, ghosts & edible)
        orders = self._random.permuted(np.tile(np.arange(5), (len(games), 1)), axis=1)
        actions = np.empty(len(games), np.int64)
        starts = FREE_INDEX[games["row"], games["column"]]
        head_for(starts, goals, ghosts & ~edible, orders, actions)
        return actions


def visible_ghosts(games: np.ndarray, sight: int) -> np.ndarray:
    """The free cells with a ghost at most `sight` rows and columns off, bool `[N, cells]`."""
    seen = np.zeros((len(games), NUM_FREE), np.bool_)
    for k in range(games["num_ghosts"].max(initial=0)):
        row, column = games["ghost_row"][:, k], games["ghost_column"][:, k]
        near = np.abs(row - games["row"]) <= sight
        near &= np.abs(column - games["column"]) <= sight
        here = np.flatnonzero(near & (k < games["num_ghosts"]))
        seen[here, FREE_INDEX[row[here], column[here]]] = True
    return seen


def worth_eating(games: np.ndarray, edible: np.ndarray) -> np.ndarray:
    """The free cells that are worth going to, given those with edible ghosts, bool `[N, cells]`."""
    mode = games["mode"][:, None]
    food = games["cells"][:, FREE_CELLS[:, 0], FREE_CELLS[:, 1]] == FOOD
    pills = np.zeros_like(food)
    for k in range(games["pill_row"].shape[1]):
        left = np.flatnonzero(k < games["num_pills"])
        pills[left, FREE_INDEX[games["pill_row"][left, k], games["pill_column"][left, k]]] = True
    prey = np.where(edible.any(axis=1, keepdims=True), edible, pills)
    hunting = (mode == HUNT) | (mode == AMBUSH)
    return (food & (mode == REGULAR)) | (pills & (mode == RUSH)) | (prey & hunting)


@njit(nogil=True, cache=True)
def head_for(starts, goals, ghosts, orders, actions):
    """The first action on a way to the nearest goal, for each game.

    The way keeps off the cells that a ghost is on or next to. Where there is none, the action that
    ends farthest from the ghosts.
    """
    for i in range(len(starts)):
        clearance = np.full(NUM_FREE, NOWHERE)
        for ghost in np.flatnonzero(ghosts[i]):
            clearance = np.minimum(clearance, DISTANCES[ghost])
        actions[i] = first_step(starts[i], goals[i], clearance, orders[i])
        if actions[i] < 0:
            actions[i] = np.argmax(clearance[NEIGHBOURS[starts[i]]])


@njit(nogil=True, cache=True)
def first_step(start, goals, clearance, order):
    """The action that begins a shortest way to a goal, -1 if there is no way.

    Breadth first; of equally short ways, the one whose first action comes first in `order`.
    """
    began = np.full(NUM_FREE, -1)  # the action with which a way to each cell begins
    queue = np.empty(NUM_FREE, np.int64)
    length = 0
    for action in order:
        cell = NEIGHBOURS[start, action]
        if clearance[cell] > 1 and began[cell] < 0:
            began[cell] = action
            queue[length] = cell
            length += 1
    place = 0
    while place < length:
        cell = queue[place]
        if goals[cell]:
            return began[cell]
        for action in range(RIGHT, 5):
            ahead = NEIGHBOURS[cell, action]
            if clearance[ahead] > 1 and began[ahead] < 0:
                began[ahead] = began[cell]
                queue[length] = ahead
                length += 1
        place += 1
    return -1


PLAYERS: Mapping[str, MakePlayer] = {"random": RandomPlayer, "greedy": GreedyPlayer}
"""The players by name, the weakest first."""
