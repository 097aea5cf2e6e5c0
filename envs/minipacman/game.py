"""Mini Pacman: its settings, and a batch of games held in arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from envs.checks import MAX_INT32, check_choice, check_view_size, check_whole
from envs.config import Key
from envs.drawing import Caption, Mark, Region, enlarge
from envs.game import Game, by_name
from envs.game_config import GameConfig
from envs.minipacman import batch, level
from envs.minipacman.draw import marks, text
from envs.minipacman.maze import COLUMNS, ROWS
from envs.minipacman.players import PLAYERS
from envs.players import MakePlayer

Mode = Literal["regular", "avoid", "hunt", "ambush", "rush"]
Rules = Literal["release", "paper"]
View = Literal["viewport", "full"]
MAX_VIEW_SIZE = 37
"""From any cell, a window of this size shows the whole maze."""


@dataclass(frozen=True, kw_only=True)
class MiniPacmanConfig(GameConfig):
    """A small maze is cleared level by level while ghosts chase Pacman.

    The defaults are those of the Relational Memory Core paper (Santoro et al. 2018, section 4.2):
    the agent sees a small window around Pacman.
    """

    mode: Mode = "regular"
    """What is rewarded, and what ends a level: food, time, ghosts (hunt, ambush) or pills."""
    rules: Rules = "release"
    """The rules of the program that was released, or those of the paper's text."""
    view: View = "viewport"
    """What the agent sees: a window around Pacman, or the whole maze."""
    view_size: int = 5
    """Rows and columns of the window, in cells."""
    frame_cap: int = 3000
    """Steps after which an episode is truncated."""
    stochasticity: float = 0.05
    """Probability that a chasing ghost turns at random at a junction (release rules only)."""
    power_bar: bool = False
    """Whether the maze's bottom wall shows how long the ghosts stay edible."""

    report: ClassVar[tuple[str, ...]] = ("level",)
    keys: ClassVar[Mapping[str, Key]] = {
        "space": Key(0, "stay"),
        "right": Key(1, "right"),
        "up": Key(2, "up"),
        "left": Key(3, "left"),
        "down": Key(4, "down"),
    }
    players: ClassVar[Mapping[str, MakePlayer]] = PLAYERS
    failure: ClassVar[str] = "caught"
    step_limit: ClassVar[str] = "frame_cap"

    def __post_init__(self):
        for name, kind in (("mode", Mode), ("rules", Rules), ("view", View)):
            check_choice(name, getattr(self, name), get_args(kind))
        check_view_size(self.view_size, MAX_VIEW_SIZE)
        check_whole("frame_cap", self.frame_cap, 1, MAX_INT32)
        if not 0 <= self.stochasticity <= 1:
            raise ValueError(f"stochasticity={self.stochasticity!r}: must be from 0 to 1")
        if not isinstance(self.power_bar, bool):
            raise ValueError(f"power_bar={self.power_bar!r}: must be True or False")

    @property
    def id(self) -> str:
        """The Gymnasium id of this view."""
        return "MiniPacman-v0" if self.view == "full" else "MiniPacmanViewport-v0"

    @classmethod
    def small(cls) -> Mapping[str, Self]:
        """Short episodes by both sets of rules."""
        return {
            "release": cls(frame_cap=60, stochasticity=0.5),
            "paper": cls(frame_cap=9, mode="hunt", rules="paper", power_bar=True),
        }

    def caption(self, info: Mapping[str, Any]) -> Caption:
        """The level, and for how many steps the ghosts stay edible."""
        return {name: str(int(info[name])) for name in ("level", "power")}

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        idle = {"view_size": "--env.view full"} if self.view == "full" else {}
        if self.rules == "paper":
            idle["stochasticity"] = "--env.rules paper"
        return idle

    def game(self, num_games: int) -> "MiniPacman":
        """A batch of games with these settings."""
        return MiniPacman(num_games, self)


class MiniPacman(Game[MiniPacmanConfig]):
    """A batch of Mini Pacman games.

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

    info_dtype = batch.INFO
    level_options = ("mode", "rules", "frame_cap", "stochasticity", "power_bar")

    def __init__(self, num_games: int, config: MiniPacmanConfig) -> None:
        self._full = config.view == "full"
        shape = (ROWS, COLUMNS, 3) if self._full else (config.view_size, config.view_size, 3)
        self.games = np.zeros(num_games, level.GAME)
        """The games as records, see `envs.minipacman.level.GAME`."""
        self.sight = COLUMNS if self._full else config.view_size // 2
        """Rows and columns on each side of Pacman that the agent sees."""
        super().__init__(num_games, config, shape, batch.NUM_ACTIONS)

    def configure(self, config: MiniPacmanConfig) -> None:
        """Start episodes with other options from the next one on."""
        self.config = config
        mode, paper = level.MODES.index(config.mode), config.rules == "paper"
        options = (mode, paper, config.power_bar, config.frame_cap, config.stochasticity)
        self._options = np.array([options], level.OPTIONS)

    def begin(self, mask: np.ndarray) -> None:
        """Start a new episode at level 1."""
        level.begin(self.games, self.streams, mask, self._options)

    def step(self, *args: np.ndarray) -> int:
        """Advance the masked games by one step; see `Game.step`."""
        return batch.step(self.games, self.streams, self._full, *args)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field of the games."""
        return by_name(self.games)

    def frame(self, index: int) -> np.ndarray:
        """The whole of one game as RGB `[240, 304, 3]`."""
        picture = np.empty((self.num_games, ROWS, COLUMNS, 3), np.uint8)
        mask, info = np.arange(self.num_games) == index, np.empty(self.num_games, batch.INFO)
        batch.step(self.games, self.streams, True, *self._no_step, mask, picture, info)
        return enlarge(picture[index])

    def view(self, index: int) -> np.ndarray:
        """What the agent of one game observes, as RGB with cells of 16 pixels."""
        return enlarge(self.observation(index))

    def seen(self, index: int) -> Region | None:
        """The window around Pacman."""
        if self._full:
            return None
        row, column = self.games[index]["row"], self.games[index]["column"]
        size = 2 * self.sight + 1
        return Region(int(row) - self.sight, int(column) - self.sight, size, size)

    def marks(self, index: int) -> list[Mark]:
        """Pacman, the ghosts and the pills, by the characters of `text`."""
        return marks(self.games[index])

    def text(self, index: int) -> str:
        """One game in characters."""
        return text(self.games[index])
