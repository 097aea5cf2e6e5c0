"""BoxWorld as a batch of games held in arrays."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from envs import random
from envs.boxworld import rules
from envs.boxworld.draw import draw_frame, draw_text, draw_view
from envs.game import by_name, no_step
from envs.options import check_names

if TYPE_CHECKING:
    from envs.boxworld.config import BoxWorldConfig

OPTIONS = ("solution_length", "num_distractors", "distractor_length", "num_backward", "max_steps")
"""Fields of the configuration that a reset may change."""
FIXED = ("grid_size", "view", "view_size")


class BoxWorld:
    """A batch of BoxWorld games; implements `envs.game.Game`.

    ## Description
    A room holds a loose key, boxes, and one box with a gem. A box is two cells: on the left what it
    holds, a key or the gem; on the right its lock, which only a key of the same colour opens, and
    which keeps that key. One chain leads from the loose key to the gem. Distractor boxes have locks
    that the chain's keys open too, but what they hold leads nowhere.

    ## Action Space
    0 up, 1 down, 2 left, 3 right. A move against the border, a lock without its key, or what a
    locked box holds is no move. Stepping onto a key takes it; a key held before is lost.

    ## Observation Space
    uint8 RGB, one pixel for each cell. Viewport: a window `[5, 5, 6]` centred on the agent; the
    last three channels are everywhere the colour of the held key, black without one. Full: the
    room with its border `[14, 14, 3]`; the held key shows in the top left corner. The background
    is light grey, the agent grey, the border and all beyond it black, the gem white; keys and locks
    have one of 20 hues.

    ## Rewards
    1 for opening a box of the chain, -1 for a distractor, 10 for the gem.

    ## Starting State
    A new level: solution length and number of distractors, the colours, and all places are drawn.

    ## Episode End
    Terminated by the gem or by opening a distractor; truncated after `max_steps` steps.
    """

    told = rules.TOLD

    def __init__(self, num_games: int, config: "BoxWorldConfig"):
        self.num_games = num_games
        self.config = config
        size = config.grid_size + 2
        window = config.view == "viewport"
        shape = (config.view_size, config.view_size, 6) if window else (size, size, 3)
        self.observation_space: spaces.Box = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Discrete(len(rules.MOVES))
        self.streams = np.zeros(num_games, np.uint64)
        self.cells = np.zeros((num_games, size, size), np.uint8)
        self.rooms = np.zeros(num_games, rules.ROOM)
        self._all = np.ones(num_games, np.bool_)
        self._no_step = no_step(num_games)
        self._use(config)

    def _use(self, config: "BoxWorldConfig") -> None:
        self.config = config
        self._lengths = np.array(config.solution_length, np.int64)
        self._distractors = np.array(config.num_distractors, np.int64)
        self._problem = (
            config.distractor_length,
            config.num_backward,
            config.max_steps,
            config.num_objects,
        )

    def seed(self, seeds: np.ndarray, mask: np.ndarray) -> None:
        """Restart the random streams of the masked games."""
        random.start(self.streams, seeds, mask)

    def begin(self, mask: np.ndarray) -> None:
        """Draw a level for the masked games."""
        rules.begin(
            self.streams,
            self.cells,
            self.rooms,
            mask,
            self._lengths,
            self._distractors,
            self._problem,
        )

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
        return rules.step(
            self.cells,
            self.rooms,
            actions,
            mask,
            rewards,
            terminated,
            truncated,
            self._all,
            observations,
            told,
        )

    def show(self, mask: np.ndarray, observations: np.ndarray, told: np.ndarray) -> None:
        """Write the masked games' observations and what they tell: progress, and the level's."""
        # A step in which none moves: the drawing need not be compiled twice.
        rules.step(self.cells, self.rooms, *self._no_step, mask, observations, told)

    def observe(self, out: np.ndarray, mask: np.ndarray) -> None:
        """Write the masked games' observations."""
        self.show(mask, out, np.empty(self.num_games, self.told))

    def info(self) -> dict[str, np.ndarray]:
        """The level's parameters, progress in it, and the colour held (-1: none)."""
        told = np.empty(self.num_games, self.told)
        shown = np.empty((self.num_games, *(self.observation_space.shape or ())), np.uint8)
        self.show(self._all, shown, told)
        return by_name(told)

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change level parameters from the next episode on."""
        check_names(options, OPTIONS, fixed=FIXED)
        self._use(dataclasses.replace(self.config, **options))

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that decides the future, as plain arrays."""
        state = {name: np.array(self.rooms[name]) for name in rules.ROOM.names or ()}
        state |= {"streams": self.streams.copy(), "cells": self.cells.copy()}
        return state | {f"options.{n}": np.array(getattr(self.config, n)) for n in OPTIONS}

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `get_state` gave."""
        self.set_options({name: _plain(state[f"options.{name}"]) for name in OPTIONS})
        self.streams[:] = state["streams"]
        self.cells[:] = state["cells"]
        for name in rules.ROOM.names or ():
            self.rooms[name] = state[name]

    def frame(self, index: int) -> np.ndarray:
        """The whole room as RGB."""
        return draw_frame(self.cells[index], self.rooms[index])

    def view(self, index: int) -> np.ndarray:
        """What the agent observes as RGB; beside a window, the held key."""
        out = np.empty((self.num_games, *(self.observation_space.shape or ())), np.uint8)
        self.observe(out, np.arange(self.num_games) == index)
        return draw_view(out[index])

    def text(self, index: int) -> str:
        """The room in characters."""
        return draw_text(self.cells[index], self.rooms[index])


def _plain(value: np.ndarray) -> Any:
    """The number, or tuple of numbers, in an array."""
    return tuple(value.tolist()) if value.ndim else int(value)
