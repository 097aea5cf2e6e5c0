"""What can be chosen about BoxWorld."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from gymnasium.vector import AutoresetMode

from envs.boxworld.cells import NUM_COLOURS
from envs.boxworld.game import BoxWorld
from envs.single import GameEnv
from envs.vector import GameVectorEnv


@dataclass(frozen=True, kw_only=True)
class BoxWorldConfig:
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
    """Infos by which an evaluation is broken down."""

    def __post_init__(self):
        for name in ("solution_length", "num_distractors"):
            object.__setattr__(self, name, _as_tuple(getattr(self, name)))
        _check_range("grid_size", [self.grid_size], 5, 20)
        _check_range("solution_length", self.solution_length, 1, NUM_COLOURS)
        _check_range("num_distractors", self.num_distractors, 0)
        _check_range("distractor_length", [self.distractor_length], 1)
        _check_range("num_backward", [self.num_backward], 0)
        _check_range("max_steps", [self.max_steps], 1, 2**31 - 1)
        _check_range("view_size", [self.view_size], 3, 2 * self.grid_size + 1)
        if self.view_size % 2 == 0:
            raise ValueError(f"view_size is {self.view_size}; it must be odd, to have a centre")
        if self.view not in ("viewport", "full"):
            raise ValueError(f"view is {self.view!r}; allowed are viewport, full")
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

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        idle = {"view_size": "--env.view full"} if self.view == "full" else {}
        if not any(self.num_distractors):
            idle["distractor_length"] = "--env.num-distractors 0"
        return idle

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
        """The id under which Gymnasium knows this view."""
        return "BoxWorld-v0" if self.view == "full" else "BoxWorldViewport-v0"

    def make_vector(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> GameVectorEnv:
        """A batch of games with the vector face."""
        return GameVectorEnv(
            BoxWorld(num_envs, self), autoreset_mode=autoreset_mode, render_mode=render_mode
        )

    def make(self, *, render_mode: str | None = None) -> GameEnv:
        """One game."""
        return GameEnv(BoxWorld(1, self), render_mode=render_mode)


def most_objects(grid_size: int) -> int:
    """How many objects a room takes so that laying it out at random succeeds soon.

    They must not touch, so a box needs about ten cells; small rooms have too few rows and columns.
    With this many, one layout in fifteen or more succeeds (measured, rooms of 5 to 20).
    """
    rows, columns = -(-(grid_size - 2) // 2), -(-(grid_size - 4) // 3)
    return min(rows * columns, grid_size * (grid_size - 1) // 10)


def _as_tuple(value: int | Sequence[int] | np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in np.atleast_1d(np.asarray(value)))


def _check_range(name: str, values: Sequence[int], low: int, high: int | None = None) -> None:
    allowed = f"at least {low}" if high is None else f"{low}..{high}"
    if len(values) == 0:
        raise ValueError(f"{name} is empty; give at least one number, {allowed}")
    for value in values:
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < low or (high is not None and value > high):
            raise ValueError(f"{name} has {value!r}; allowed are whole numbers, {allowed}")
