"""A batch of Mini Pacman games."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from envs import random
from envs.game import by_name, no_step
from envs.minipacman import batch, level
from envs.minipacman.draw import text
from envs.minipacman.maze import COLUMNS, ROWS
from envs.options import check_names
from envs.pixels import enlarge

if TYPE_CHECKING:
    from envs.minipacman.config import MiniPacmanConfig

OPTIONS = ("mode", "rules", "frame_cap", "stochasticity", "power_bar")
"""Fields of the configuration that a reset may change."""
FIXED = ("view", "view_size")


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

    told = batch.TOLD

    def __init__(self, num_games: int, config: "MiniPacmanConfig"):
        self.num_games = num_games
        full = config.view == "full"
        shape = (ROWS, COLUMNS, 3) if full else (config.view_size, config.view_size, 3)
        self.observation_space: spaces.Box = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Discrete(batch.NUM_ACTIONS)
        self.games = np.zeros(num_games, level.GAME)
        """The games as records, see `envs.minipacman.level.GAME`."""
        self.streams = np.zeros(num_games, np.uint64)
        self._full = full
        self._all = np.ones(num_games, np.bool_)
        self._no_step = no_step(num_games)
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
        observations: np.ndarray,
        told: np.ndarray,
    ) -> int:
        """Advance the masked games by one step, and show all games."""
        return batch.step(
            self.games,
            self.streams,
            actions,
            mask,
            rewards,
            terminated,
            truncated,
            self._all,
            observations,
            told,
            self._full,
        )

    def show(self, mask: np.ndarray, observations: np.ndarray, told: np.ndarray) -> None:
        """Write the masked games' observations and what they tell."""
        self._show(mask, observations, told, self._full)

    def _show(
        self, mask: np.ndarray, observations: np.ndarray, told: np.ndarray, full: bool
    ) -> None:
        # A step in which none moves: the drawing need not be compiled twice.
        batch.step(self.games, self.streams, *self._no_step, mask, observations, told, full)

    def observe(self, out: np.ndarray, mask: np.ndarray) -> None:
        """Write the masked games' observations."""
        self.show(mask, out, np.empty(self.num_games, self.told))

    def info(self) -> dict[str, np.ndarray]:
        """Level (from 1), food left in it, steps of power left, and the episode's end and score."""
        told = np.empty(self.num_games, self.told)
        shown = np.empty((self.num_games, *(self.observation_space.shape or ())), np.uint8)
        self.show(self._all, shown, told)
        return by_name(told)

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
        return enlarge(self._picture(index, full=True))

    def view(self, index: int) -> np.ndarray:
        """What the agent of one game observes, as RGB with cells of 16 pixels."""
        return enlarge(self._picture(index, full=self._full))

    def _picture(self, index: int, full: bool) -> np.ndarray:
        shape = (ROWS, COLUMNS, 3) if full else self.observation_space.shape or ()
        pictures = np.empty((self.num_games, *shape), np.uint8)
        mask, told = np.arange(self.num_games) == index, np.empty(self.num_games, self.told)
        self._show(mask, pictures, told, full)
        return pictures[index]

    def text(self, index: int) -> str:
        """One game in characters."""
        return text(self.games[index])
