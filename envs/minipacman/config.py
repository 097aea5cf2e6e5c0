"""What can be chosen about Mini Pacman."""

import difflib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from gymnasium.vector import AutoresetMode

from envs.minipacman.game import MiniPacman
from envs.single import GameEnv
from envs.vector import GameVectorEnv

Mode = Literal["regular", "avoid", "hunt", "ambush", "rush"]
Rules = Literal["release", "paper"]
View = Literal["viewport", "full"]
MAX_VIEW_SIZE = 37
"""From any cell, a window of this size shows the whole maze."""


@dataclass(frozen=True, kw_only=True)
class MiniPacmanConfig:
    """Levels of a small maze are cleared one after the other while ghosts give chase.

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
    """Probability that a ghost giving chase turns at random at a junction (release rules only)."""
    power_bar: bool = False
    """Whether the maze's bottom wall shows how long the ghosts stay edible."""

    report: ClassVar[tuple[str, ...]] = ("level",)
    """Infos by which an evaluation is broken down."""

    def __post_init__(self):
        for name, kind in (("mode", Mode), ("rules", Rules), ("view", View)):
            _check_choice(name, getattr(self, name), get_args(kind))
        _check_whole("view_size", self.view_size, 3, MAX_VIEW_SIZE)
        if self.view_size % 2 == 0:
            raise ValueError(f"view_size is {self.view_size}; it must be odd, to have a centre")
        _check_whole("frame_cap", self.frame_cap, 1, 2**31 - 1)
        if not 0 <= self.stochasticity <= 1:
            raise ValueError(f"stochasticity is {self.stochasticity!r}; allowed is 0 to 1")
        if not isinstance(self.power_bar, bool):
            raise ValueError(f"power_bar is {self.power_bar!r}; allowed are True, False")

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        idle = {"view_size": "--env.view full"} if self.view == "full" else {}
        if self.rules == "paper":
            idle["stochasticity"] = "--env.rules paper"
        return idle

    @property
    def id(self) -> str:
        """The id under which Gymnasium knows this view."""
        return "MiniPacman-v0" if self.view == "full" else "MiniPacmanViewport-v0"

    def make_vector(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> GameVectorEnv:
        """A batch of games with the vector face."""
        return GameVectorEnv(
            MiniPacman(num_envs, self), autoreset_mode=autoreset_mode, render_mode=render_mode
        )

    def make(self, *, render_mode: str | None = None) -> GameEnv:
        """One game."""
        return GameEnv(MiniPacman(1, self), render_mode=render_mode)


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name} is {value!r}; allowed are {', '.join(choices)}{hint}")


def _check_whole(name: str, value: Any, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; allowed are whole numbers, {low}..{high}")
