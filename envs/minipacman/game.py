"""A batch of Mini Pacman games."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from envs import random
from envs.minipacman import draw, level, rules
from envs.minipacman.maze import COLUMNS, ROWS
from envs.options import check_names
from envs.pixels import enlarge

if TYPE_CHECKING:
    from envs.minipacman.config import MiniPacmanConfig

OPTIONS = ("mode", "rules", "frame_cap", "stochasticity", "power_bar")
"""Fields of the configuration that a reset may change."""
FIXED = ("view", "view_size")
INFO = ("level", "food_left", "power", "died", "score")


class MiniPacman:
    """A batch of Mini Pacman games; implements `envs.game.Game`.

    ## Description
    Pacman eats its way through a maze and is chased by ghosts, one more of them at each odd level,
    faster at each level. A power pill makes them edible for 20 steps. A cleared level is followed
    by the next; there is one life.

    ## Action Space
    0 stay, 1 right, 2 up, 3 left, 4 down. A move into a wall is no move.

    ## Observation Space
    uint8 RGB, one pixel for each cell: the whole maze `[15, 19, 3]`, or a window `[5, 5, 3]` with
    Pacman in its centre and walls beyond the maze. Empty cells are black, walls white, food blue,
    pills cyan, Pacman green, ghosts red; edible ghosts fade from yellow back to red.

    ## Rewards
    | mode | step | food | pill | ghost | death | a level ends when |
    |---|---|---|---|---|---|---|
    | regular | 0 | 1 | 2 | 5 | 0 | all food is eaten |
    | avoid | 0.1 | -0.1 | -5 | -10 | -20 | 128 steps have passed (release: or no food is left) |
    | hunt | 0 | 0 | 1 | 10 | -20 | all ghosts are eaten (paper: or 80 steps have passed) |
    | ambush | 0 | -0.1 | 0 | 10 | -20 | as hunt |
    | rush | 0 | -0.1 | 10 | 0 | 0 | all pills are eaten |

    ## Episode End
    Terminated when a ghost catches Pacman; truncated after `frame_cap` steps.
    """

    def __init__(self, num_games: int, config: "MiniPacmanConfig"):
        self.num_games = num_games
        full = config.view == "full"
        shape = (ROWS, COLUMNS, 3) if full else (config.view_size, config.view_size, 3)
        self.observation_space: spaces.Box = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Discrete(5)
        self.games = np.zeros(num_games, level.GAME)
        """The games as records, see `envs.minipacman.level.GAME`."""
        self.streams = np.zeros(num_games, np.uint64)
        self._full = full
        self._use(config)

    def _use(self, config: "MiniPacmanConfig") -> None:
        self.config = config
        mode, paper = level.MODES.index(config.mode), config.rules == "paper"
        options = (mode, paper, config.power_bar, config.frame_cap, config.stochasticity)
        self._options = np.array([options], level.OPTIONS)

    def seed(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        """Restart the random streams; seeds are uint64 `[N]`, one for each game."""
        random.start(self.streams, seeds, mask)

    def begin(self, mask: np.ndarray) -> None:
        """Begin a new episode at level 1."""
        level.begin(self.games, self.streams, mask, self._options)

    def step(
        self,
        actions: np.ndarray,
        mask: np.ndarray,
        rewards: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
    ) -> None:
        """Advance one step, writing into the caller's `[N]` arrays."""
        rules.step(self.games, self.streams, actions, mask, rewards, terminated, truncated)

    def observe(self, out: np.ndarray, mask: np.ndarray) -> None:
        """Write observations into the caller's `[N, H, W, 3]` array."""
        draw.observe(self.games, out, mask, self._full)

    def info(self) -> dict[str, np.ndarray]:
        """Level (from 1), food left in it, steps of power left, and the episode's end and score."""
        return {name: self.games[name].copy() for name in INFO}

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change settings from the next episode on."""
        check_names(options, OPTIONS, fixed=FIXED)
        self._use(dataclasses.replace(self.config, **options))

    def get_state(self) -> dict[str, np.ndarray]:
        """Every field of the games, their random streams, and the options of later episodes."""
        state = {name: self.games[name].copy() for name in level.GAME.names or ()}
        state |= {"streams": self.streams.copy()}
        return state | {f"options.{n}": np.array(getattr(self.config, n)) for n in OPTIONS}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `get_state` gave."""
        self.set_options({name: state[f"options.{name}"].item() for name in OPTIONS})
        self.streams[:] = state["streams"]
        for name in level.GAME.names or ():
            self.games[name] = state[name]

    def frame(self, index: int) -> np.ndarray:
        """The whole of one game as RGB `[240, 304, 3]`."""
        picture = np.empty((ROWS, COLUMNS, 3), np.uint8)
        draw.draw(self.games[index], picture, 0, 0)
        return enlarge(picture)

    def view(self, index: int) -> np.ndarray:
        """What the agent of one game observes, as RGB with cells of 16 pixels."""
        one = slice(index, index + 1)
        picture = np.empty((1, *(self.observation_space.shape or ())), np.uint8)
        draw.observe(self.games[one], picture, np.ones(1, np.bool_), self._full)
        return enlarge(picture[0])

    def text(self, index: int) -> str:
        """One game in characters."""
        return draw.text(self.games[index])
