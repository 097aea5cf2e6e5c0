"""BoxWorld as a batch of games held in arrays."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from envs import random
from envs.boxworld import rules
from envs.boxworld.draw import draw_frame, draw_text, draw_view
from envs.options import check_names

if TYPE_CHECKING:
    from envs.boxworld.config import BoxWorldConfig

OPTIONS = ("solution_length", "num_distractors", "distractor_length", "num_backward", "max_steps")
"""Fields of the configuration that a reset may change."""
FIXED = ("grid_size", "view", "view_size")
INFO = (
    ("solved", "solved"),
    ("boxes_opened", "boxes_opened"),
    ("solution_length", "solution_length"),
    ("num_distractors", "num_distractors"),
    ("held_key", "held"),
)
"""Names in the infos, and the fields of `rules.ROOM` they show."""


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
        self._window = window
        self._use(config)
        self._tell()

    def _tell(self) -> None:
        # Views, made once: an indexing by name in each step would cost more than the copies.
        self._told = {name: self.rooms[field] for name, field in INFO}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._tell()  # unpickled views would be arrays of their own

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
    ) -> None:
        """Advance the masked games by one step."""
        rules.step(self.cells, self.rooms, actions, mask, rewards, terminated, truncated)

    def observe(self, out: np.ndarray, mask: np.ndarray) -> None:
        """Write the masked games' observations."""
        self._draw(self.cells, self.rooms, out, mask)

    def _draw(
        self, cells: np.ndarray, rooms: np.ndarray, out: np.ndarray, mask: np.ndarray
    ) -> None:
        draw = rules.observe_window if self._window else rules.observe_room
        draw(cells, rooms, out, mask)

    def info(self) -> dict[str, np.ndarray]:
        """The level's parameters, progress in it, and the colour held (-1: none)."""
        return {name: values.copy() for name, values in self._told.items()}

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
        out = np.zeros((1, *(self.observation_space.shape or ())), np.uint8)
        one = slice(index, index + 1)
        self._draw(self.cells[one], self.rooms[one], out, np.ones(1, np.bool_))
        return draw_view(out[0])

    def text(self, index: int) -> str:
        """The room in characters."""
        return draw_text(self.cells[index], self.rooms[index])


def _plain(value: np.ndarray) -> Any:
    """The number, or tuple of numbers, in an array."""
    return tuple(value.tolist()) if value.ndim else int(value)
