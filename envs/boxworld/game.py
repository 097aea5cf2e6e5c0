"""BoxWorld: its settings, and a batch of games held in arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from envs.boxworld import rules
from envs.boxworld.cells import KEY, NUM_COLOURS, PALETTE
from envs.boxworld.draw import character, draw_frame, draw_text, marks
from envs.boxworld.level import most_objects
from envs.boxworld.players import PLAYERS
from envs.checks import (
    MAX_INT32,
    as_numbers,
    check_choice,
    check_numbers,
    check_view_size,
    check_whole,
)
from envs.config import Key
from envs.drawing import Caption, Mark, Region, Swatch, enlarge
from envs.game import Game, by_name
from envs.game_config import GameConfig
from envs.players import MakePlayer


@dataclass(frozen=True, kw_only=True)
class BoxWorldConfig(GameConfig):
    """Boxes are opened by keys of their colour, and one chain of them leads to the gem.

    The defaults are those of the Relational Memory Core paper (Santoro et al. 2018, section 4.2):
    the agent sees a small window around itself, and the key it holds.
    """

    solution_length: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Boxes from the loose key to the gem; each level draws one of these numbers."""
    num_distractors: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    """Wrong branches; each level draws one of these numbers."""
    distractor_length: int = 1
    """Boxes in each wrong branch."""
    num_backward: int = 0
    """Boxes that show a key of the solution and that no key opens."""
    grid_size: int = 12
    """Rows and columns of the room, in cells, without its border."""
    view: Literal["viewport", "full"] = "viewport"
    """What the agent sees: a window around itself, or the whole room."""
    view_size: int = 5
    """Rows and columns of the window, in cells."""
    max_steps: int = 120
    """Steps after which an episode is truncated."""

    report: ClassVar[tuple[str, ...]] = ("solution_length", "num_distractors")
    keys: ClassVar[Mapping[str, Key]] = {
        name: Key(action, name) for action, name in enumerate(("up", "down", "left", "right"))
    }
    players: ClassVar[Mapping[str, MakePlayer]] = PLAYERS
    failure: ClassVar[str] = "wrong box"

    def __post_init__(self):
        for name in ("solution_length", "num_distractors"):
            object.__setattr__(self, name, as_numbers(getattr(self, name)))
        check_whole("grid_size", self.grid_size, 5, 20)
        check_numbers("solution_length", self.solution_length, 1, NUM_COLOURS)
        check_numbers("num_distractors", self.num_distractors, 0)
        check_whole("distractor_length", self.distractor_length, 1)
        check_whole("num_backward", self.num_backward, 0)
        check_whole("max_steps", self.max_steps, 1, MAX_INT32)
        check_view_size(self.view_size, 2 * self.grid_size + 1)
        check_choice("view", self.view, ("viewport", "full"))
        self._check_colours()
        self._check_room()

    def _check_colours(self) -> None:
        needed = 0
        if max(self.num_distractors):
            needed = 1 if self.distractor_length == 1 else 2
        elif self.num_backward:
            needed = 1
        most = NUM_COLOURS - needed
        if max(self.solution_length) > most:
            raise ValueError(
                f"solution_length is {self.solution_length}; with these distractors at most {most} "
                f"of the {NUM_COLOURS} colours may be of the solution"
            )

    def _check_room(self) -> None:
        most = most_objects(self.grid_size)
        if self.num_objects > most:
            raise ValueError(
                f"solution_length {self.solution_length}, num_distractors {self.num_distractors}, "
                f"distractor_length {self.distractor_length} and num_backward {self.num_backward} "
                f"give up to {self.num_objects} objects; "
                f"a room of grid_size {self.grid_size} holds {most}"
            )

    @property
    def num_objects(self) -> int:
        """The most objects that a level can have: the loose key and the boxes."""
        wrong = max(self.num_distractors) * self.distractor_length + self.num_backward
        return max(self.solution_length) + 1 + wrong

    @property
    def stages(self) -> list[dict[str, tuple[int, ...]]]:
        """Level options from the easiest to this configuration's own mix, one length more each."""
        lengths, distractors = sorted(set(self.solution_length)), sorted(set(self.num_distractors))
        most = max(len(lengths), len(distractors))
        grown = [
            {"solution_length": tuple(lengths[:k]), "num_distractors": tuple(distractors[:k])}
            for k in range(1, most)
        ]
        own = {"solution_length": self.solution_length, "num_distractors": self.num_distractors}
        return [*grown, own]

    @property
    def id(self) -> str:
        """The Gymnasium id of this view."""
        return "BoxWorld-v0" if self.view == "full" else "BoxWorldViewport-v0"

    @classmethod
    def small(cls) -> Mapping[str, Self]:
        """Short episodes in small rooms, with and without distractors."""
        easy: dict[str, Any] = {"grid_size": 8, "solution_length": (1,), "max_steps": 9}
        return {
            "one box": cls(**easy, num_distractors=(0,)),
            "distractors": cls(**easy, num_distractors=(1,), distractor_length=2),
            "backward": cls(**easy, num_distractors=(0,), num_backward=1),
        }

    def caption(self, info: Mapping[str, Any]) -> Caption:
        """The key in hand."""
        held = KEY + int(info["held_key"])
        if held < KEY:
            return {"held key": "none"}
        red, green, blue = PALETTE[held].tolist()
        return {"held key": Swatch((red, green, blue), character(held))}

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        idle = {"view_size": "--env.view full"} if self.view == "full" else {}
        if not any(self.num_distractors):
            idle["distractor_length"] = "--env.num-distractors 0"
        return idle

    def game(self, num_games: int) -> "BoxWorld":
        """A batch of games with these settings."""
        return BoxWorld(num_games, self)


class BoxWorld(Game[BoxWorldConfig]):
    """A batch of BoxWorld games.

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

    info_dtype = rules.INFO
    level_options = (
        "solution_length",
        "num_distractors",
        "distractor_length",
        "num_backward",
        "max_steps",
    )

    def __init__(self, num_games: int, config: BoxWorldConfig) -> None:
        size = config.grid_size + 2
        window = config.view == "viewport"
        shape = (config.view_size, config.view_size, 6) if window else (size, size, 3)
        self.cells = np.zeros((num_games, size, size), np.uint8)
        self.rooms = np.zeros(num_games, rules.ROOM)
        self.sight = config.view_size if window else 2 * config.grid_size + 1
        """Rows of the window; one of this size shows all of the room if the view is full."""
        super().__init__(num_games, config, shape, len(rules.MOVES))

    def configure(self, config: BoxWorldConfig) -> None:
        """Draw levels by other options from the next episode on."""
        self.config = config
        self._lengths = np.array(config.solution_length, np.int64)
        self._distractors = np.array(config.num_distractors, np.int64)
        self._problem = (
            config.distractor_length,
            config.num_backward,
            config.max_steps,
            config.num_objects,
        )

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

    def step(self, *args: np.ndarray) -> int:
        """Advance the masked games by one step; see `Game.step`."""
        return rules.step(self.cells, self.rooms, *args)

    def arrays(self) -> dict[str, np.ndarray]:
        """Cells, and the fields of the rooms."""
        return by_name(self.rooms) | {"cells": self.cells}

    def frame(self, index: int) -> np.ndarray:
        """The whole room as RGB."""
        return draw_frame(self.cells[index], self.rooms[index])

    def view(self, index: int) -> np.ndarray:
        """What the agent observes of the room as RGB; the held key is in the caption."""
        return enlarge(self.observation(index)[..., :3])

    def seen(self, index: int) -> Region | None:
        """The window around the agent."""
        if self.config.view == "full":
            return None
        row, column = self.rooms[index]["row"], self.rooms[index]["column"]
        half = self.sight // 2
        return Region(int(row) - half, int(column) - half, self.sight, self.sight)

    def marks(self, index: int) -> list[Mark]:
        """Lower-case letters on keys, capitals on locks, the agent and the gem."""
        return marks(self.cells[index], self.rooms[index])

    def text(self, index: int) -> str:
        """The room in characters."""
        return draw_text(self.cells[index], self.rooms[index])
