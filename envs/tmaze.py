"""T-maze: a hint at the start of a corridor shows where to turn at its end.

Source: Bakker, "Reinforcement Learning with Long Short-Term Memory", NIPS 2001, section 4.1.

Differs from the paper: the agent sees a picture of the cells around it in place of three bits; the
hint is a cell next to the start, in view until the window has passed it; episodes are truncated
after `max_steps`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numba import njit

from envs import random
from envs.checks import MAX_INT32, as_numbers, check_numbers, check_view_size, check_whole
from envs.config import Key
from envs.drawing import Caption, Mark, Region, enlarge
from envs.game import Game, by_name
from envs.game_config import GameConfig
from envs.players import MakePlayer, RandomPlayer
from envs.vector import GameVectorEnv

STATE = np.dtype(
    [
        ("row", np.int32),
        ("column", np.int32),
        ("goal", np.int32),  # the row of the goal, and of the hint: 1 or 3
        ("length", np.int32),
        ("steps", np.int32),
        ("max_steps", np.int32),
        ("solved", np.bool_),
    ],
    align=True,
)
"""One game. The maze has five rows; the corridor is row 2 and begins in column 1."""
INFO = np.dtype([("length", np.int32), ("solved", np.bool_)], align=True)

UP, DOWN, LEFT, RIGHT = range(4)
MOVES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
"""Row and column of each action."""
FLOOR, WALL, HINT, AGENT = range(4)
PALETTE = np.array([[0, 0, 0], [255, 255, 255], [0, 255, 0], [255, 0, 0]], np.uint8)

GOAL_REWARD, WRONG_REWARD, WALL_REWARD = 4.0, -0.1, -0.1


@njit(cache=True, nogil=True)
def begin(streams, games, mask, lengths, max_steps):
    """Start an episode in the masked games."""
    for i in range(len(games)):
        if mask[i]:
            game = games[i]
            game.length = lengths[random.below(streams, i, len(lengths))]
            game.goal = 1 + 2 * random.below(streams, i, 2)
            game.row, game.column = 2, 1
            game.steps, game.max_steps, game.solved = 0, max_steps, False


@njit(cache=True, nogil=True)
def step(games, actions, mask, rewards, terminated, truncated, shown, observations, info):
    """Advance the masked games; see `envs.game.Game.step`."""
    for action in actions:
        if action < 0 or action >= len(MOVES):
            return -1
    ended, half = 0, observations.shape[1] // 2
    for i in range(len(games)):
        game = games[i]
        if mask[i]:
            rewards[i], terminated[i] = move(game, MOVES[actions[i]])
            game.steps += 1
            truncated[i] = not terminated[i] and game.steps >= game.max_steps
            ended += terminated[i] or truncated[i]
        if shown[i]:
            info[i].length = game.length
            info[i].solved = game.solved
            draw(game, observations, i, game.row - half, game.column - half)
    return ended


@njit(cache=True, nogil=True, inline="always")
def move(game, by):
    """Enter the neighbouring cell if it is free; returns the reward and whether that is the end."""
    row, column = game.row + by[0], game.column + by[1]
    if cell(game, row, column) != FLOOR:
        return WALL_REWARD, False
    game.row, game.column = row, column
    if row == 2:
        return 0.0, False
    game.solved = row == game.goal
    return (GOAL_REWARD if game.solved else WRONG_REWARD), True


@njit(cache=True, nogil=True, inline="always")
def cell(game, row, column):
    """Content of a cell, without the agent."""
    junction = 1 + game.length
    if column == 1 and row == game.goal:
        return HINT
    corridor = row == 2 and 1 <= column <= junction
    arm = column == junction and 1 <= row <= 3
    return FLOOR if corridor or arm else WALL


@njit(cache=True, nogil=True)
def draw(game, out, i, top, left):
    """Draw the cells from (top, left) on as picture i of uint8 `out` `[N, H, W, 3]`."""
    for r in range(out.shape[1]):
        for c in range(out.shape[2]):
            row, column = top + r, left + c
            here = row == game.row and column == game.column
            code = AGENT if here else cell(game, row, column)
            for channel in range(3):
                out[i, r, c, channel] = PALETTE[code, channel]


class Walker:
    """Walks to the junction and turns: to the goal if it remembers the hint, else at random."""

    def __init__(self, env: GameVectorEnv, seed: int, *, remembers: bool) -> None:
        if not isinstance(env.game, TMaze):
            raise TypeError(f"this player plays TMaze, not {type(env.game).__name__}")
        self._games, self._remembers = env.game.games, remembers
        self._random = np.random.default_rng(seed)

    def act(self) -> np.ndarray:
        """The next action of each game, int64 `[N]`."""
        games = self._games
        turn = self._random.integers(UP, LEFT, size=len(games))
        if self._remembers:
            turn = np.where(games["goal"] == 1, UP, DOWN)
        return np.where(games["column"] <= games["length"], RIGHT, turn)


@dataclass(frozen=True, kw_only=True)
class TMazeConfig(GameConfig):
    """A hint at the start of a corridor shows where to turn at its end."""

    length: tuple[int, ...] = (10,)
    """Steps from the start to the junction; each level draws one of these numbers."""
    view_size: int = 3
    """Rows and columns of the window around the agent; from `2 * length + 1` on it always shows
    the hint, and nothing needs to be remembered."""
    max_steps: int = 100
    """Steps after which an episode is truncated."""

    report: ClassVar[tuple[str, ...]] = ("length",)
    failure: ClassVar[str] = "wrong turn"
    keys: ClassVar[Mapping[str, Key]] = {
        "up": Key(UP, "up"),
        "down": Key(DOWN, "down"),
        "left": Key(LEFT, "left"),
        "right": Key(RIGHT, "right"),
    }
    players: ClassVar[Mapping[str, MakePlayer]] = {
        "random": RandomPlayer,
        "forgetful": partial(Walker, remembers=False),
        "oracle": partial(Walker, remembers=True),
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", as_numbers(self.length))
        check_numbers("length", self.length, 1, 10_000)
        check_view_size(self.view_size, 101)
        check_whole("max_steps", self.max_steps, 1, MAX_INT32)

    @property
    def id(self) -> str:
        """The Gymnasium id."""
        return "TMaze-v0"

    @property
    def stages(self) -> list[dict[str, tuple[int, ...]]]:
        """Level options of a curriculum: from the shortest corridor to all of them."""
        lengths = sorted(set(self.length))
        grown = [{"length": tuple(lengths[:k])} for k in range(1, len(lengths))]
        return [*grown, {"length": self.length}]

    @classmethod
    def small(cls) -> Mapping[str, Self]:
        """Short corridors."""
        return {"short": cls(length=(1, 2), max_steps=9)}

    def caption(self, info: Mapping[str, Any]) -> Caption:
        """The length of the corridor."""
        return {"length": str(int(info["length"]))}

    def game(self, num_games: int) -> "TMaze":
        """A batch of games with these settings."""
        return TMaze(num_games, self)


class TMaze(Game[TMazeConfig]):
    """A batch of T-mazes.

    ## Description
    The agent starts at the left end of a corridor. A green cell above or below the start says
    whether the goal is above or below the junction at the right end.

    ## Action Space
    0 up, 1 down, 2 left, 3 right. A move against a wall is no move.

    ## Observation Space
    uint8 RGB `[3, 3, 3]`, one pixel for each cell: a window centred on the agent. The floor is
    black, walls and all beyond them white, the hint green, the agent red.

    ## Rewards
    4 for the right turn, -0.1 for the wrong one, -0.1 for a move against a wall.

    ## Starting State
    The length of the corridor and the side of the goal are drawn.

    ## Episode End
    Terminated by a turn at the junction; truncated after `max_steps` steps.
    """

    info_dtype = INFO
    level_options = ("length", "max_steps")

    def __init__(self, num_games: int, config: TMazeConfig) -> None:
        self.games = np.zeros(num_games, STATE)
        shape = (config.view_size, config.view_size, 3)
        super().__init__(num_games, config, shape, len(MOVES))

    def configure(self, config: TMazeConfig) -> None:
        """Draw corridors by other options from the next episode on."""
        self.config, self._lengths = config, np.array(config.length, np.int64)

    def begin(self, mask: np.ndarray) -> None:
        """Start an episode in the masked games."""
        begin(self.streams, self.games, mask, self._lengths, self.config.max_steps)

    def step(self, *args: np.ndarray) -> int:
        """Advance the masked games by one step; see `Game.step`."""
        return step(self.games, *args)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field of the games."""
        return by_name(self.games)

    def frame(self, index: int) -> np.ndarray:
        """The whole maze as RGB."""
        game = self.games[index]
        picture = np.empty((1, 5, int(game["length"]) + 3, 3), np.uint8)
        draw(game, picture, 0, 0, 0)
        return enlarge(picture[0])

    def view(self, index: int) -> np.ndarray:
        """What the agent observes, as RGB with cells of 16 pixels."""
        return enlarge(self.observation(index))

    def seen(self, index: int) -> Region | None:
        """The window around the agent."""
        game, size = self.games[index], self.config.view_size
        return Region(int(game["row"]) - size // 2, int(game["column"]) - size // 2, size, size)

    def marks(self, index: int) -> list[Mark]:
        """The agent and the hint."""
        game = self.games[index]
        hint = Mark(int(game["goal"]), 1, "h")
        return [hint, Mark(int(game["row"]), int(game["column"]), "@")]

    def text(self, index: int) -> str:
        """The maze in characters: `#` wall, `*` hint, `@` agent."""
        game = self.games[index]
        columns = range(game["length"] + 3)
        codes = [[cell(game, row, column) for column in columns] for row in range(5)]
        codes[game["row"]][game["column"]] = AGENT
        return "\n".join("".join(" #*@"[code] for code in row) for row in codes)
