"""Scripted players of BoxWorld: what can be reached without learning.

They show whether the game can be solved, and are the upper and lower bound in learning curves.
A player keeps its own memory of each game, and begins it anew with each episode.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from envs.boxworld import plan
from envs.boxworld.cells import EMPTY, WRONG_LOCK
from envs.boxworld.rules import MOVES
from envs.players import MakePlayer, RandomPlayer
from envs.vector import GameVectorEnv


@runtime_checkable
class Rooms(Protocol):
    """What the players look at: the games of a `BoxWorld`."""

    num_games: int
    cells: np.ndarray
    """uint8 `[N, rows, columns]`."""
    rooms: np.ndarray
    """Records `[N]` of the dtype `envs.boxworld.rules.ROOM`."""
    sight: int
    """Rows and columns of the window."""


class GreedyPlayer:
    """Has no memory: goes for what helps at once, where it is in view, and else wanders."""

    TURN = 0.1
    """Probability of a turn while wandering."""

    def __init__(self, env: GameVectorEnv, seed: int):
        self._game, self._rng = _rooms(env), np.random.default_rng(seed)
        self._heading = self._rng.integers(len(MOVES), size=env.num_envs)

    def act(self) -> np.ndarray:
        """The next action of each game."""
        return np.array([self._choose(i) for i in range(self._game.num_games)], np.int64)

    def _choose(self, i: int) -> int:
        room = self._game.rooms[i]
        half = self._game.sight // 2
        known = np.full((2 * half + 1, 2 * half + 1), plan.UNSEEN, np.int8)
        row, column = int(room["row"]), int(room["column"])
        plan.look(known, self._game.cells[i], half - row, half - column, row, column, 2 * half + 1)
        target = plan.nearest(known, room["held"], half, half)
        if target[0] >= 0:
            return plan.towards(known, half, half, *target)
        return self._wander(i, known[half - 1 : half + 2, half - 1 : half + 2])

    def _wander(self, i: int, around: np.ndarray) -> int:
        """Straight on over empty cells, with a turn now and then."""
        open_moves = [a for a, (y, x) in enumerate(MOVES) if around[1 + y, 1 + x] == EMPTY]
        if self._heading[i] not in open_moves or self._rng.random() < self.TURN:
            self._heading[i] = self._rng.choice(open_moves or len(MOVES))
        return int(self._heading[i])


class OraclePlayer:
    """Sees the whole room, distractors included, and takes the shortest way to the gem."""

    def __init__(self, env: GameVectorEnv, seed: int):
        self._game = _rooms(env)

    def act(self) -> np.ndarray:
        """The next action of each game."""
        game = self._game
        known = game.cells.astype(np.int8)
        wrong = game.cells >= WRONG_LOCK
        known[wrong] = plan.UNSEEN  # a box without a lock to open is no way to anything
        return np.array([self._choose(known[i], game.rooms[i]) for i in range(len(known))])

    def _choose(self, known: np.ndarray, room: np.ndarray) -> int:
        target = plan.on_the_chain(known, room["held"])
        return plan.towards(known, room["row"], room["column"], *target)


class ExplorerPlayer:
    """Remembers all that its window has shown: explores until it knows the chain, then follows it.

    Its map begins where the agent begins; it is not told where in the room that is.
    """

    def __init__(self, env: GameVectorEnv, seed: int):
        self._game = _rooms(env)
        self._centre = self._game.cells.shape[1] + self._game.sight
        side = 2 * self._centre + 1
        self._maps = np.full((env.num_envs, side, side), plan.UNSEEN, np.int8)
        self._origin = np.zeros((env.num_envs, 2), np.int64)

    def act(self) -> np.ndarray:
        """The next action of each game."""
        self._forget()
        return np.array([self._choose(i) for i in range(self._game.num_games)], np.int64)

    def _forget(self) -> None:
        """Begin new maps in games that have just begun."""
        rooms = self._game.rooms
        new = rooms["steps"] == 0
        self._maps[new] = plan.UNSEEN
        self._origin[new, 0] = self._centre - rooms["row"][new]
        self._origin[new, 1] = self._centre - rooms["column"][new]

    def _choose(self, i: int) -> int:
        room, known, (top, left) = self._game.rooms[i], self._maps[i], self._origin[i]
        row, column, held = int(room["row"]), int(room["column"]), int(room["held"])
        plan.look(known, self._game.cells[i], top, left, row, column, self._game.sight)
        target = self._target(known, held, top + row, left + column)
        return plan.towards(known, top + row, left + column, *target)

    def _target(self, known: np.ndarray, held: int, row: int, column: int) -> tuple[int, int]:
        target = plan.on_the_chain(known, held)
        if target[0] < 0 and held < 0:
            target = plan.nearest(known, held, row, column)
        if target[0] < 0:
            target = plan.best_lookout(known, row, column, self._game.sight)
        return target


PLAYERS: Mapping[str, MakePlayer] = {
    "random": RandomPlayer,
    "greedy": GreedyPlayer,
    "explorer": ExplorerPlayer,
    "oracle": OraclePlayer,
}
"""The players by name, the weakest first."""


def _rooms(env: GameVectorEnv) -> Rooms:
    if not isinstance(env.game, Rooms):
        raise TypeError(f"this player plays BoxWorld, not {type(env.game).__name__}")
    return env.game
