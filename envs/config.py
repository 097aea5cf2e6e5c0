"""What an entry of the registry `envs.ENVS` offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import gymnasium
from gymnasium.vector import AutoresetMode, VectorEnv

from envs.drawing import Caption
from envs.players import MakePlayer, RandomPlayer


class Key(NamedTuple):
    """What a key of the keyboard does."""

    action: int
    label: str


class EnvConfig(ABC):
    """The settings of an environment, and all that other programs need to know about it.

    Configurations are frozen dataclasses that inherit from this class, or from
    `envs.game_config.GameConfig` if the rules are a compiled `Game`. The members without a default
    are abstract: Python refuses to build a configuration without them and names them.
    """

    report: ClassVar[tuple[str, ...]] = ()
    """Infos by which an evaluation is broken down."""
    keys: ClassVar[Mapping[str, Key]] = {}
    """Keys of `scripts/play.py` by their pygame name, one for each action; none: not playable."""
    players: ClassVar[Mapping[str, MakePlayer]] = {"random": RandomPlayer}
    """Scripted players by name, the weakest first."""
    failure: ClassVar[str] = "ended"
    """How an episode ended that was terminated and not solved, in a word or two."""

    @property
    @abstractmethod
    def id(self) -> str:
        """The Gymnasium id."""

    @classmethod
    @abstractmethod
    def small(cls) -> Mapping[str, Self]:
        """Variants with short episodes and small levels, by name, for tests."""

    @abstractmethod
    def make(self, *, render_mode: str | None = None) -> gymnasium.Env:
        """Make one environment.

        Raises:
            ValueError: the environment cannot be made with these settings.
        """

    @abstractmethod
    def make_vector(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> VectorEnv:
        """Make a batch of environments."""

    @property
    def stages(self) -> Sequence[dict[str, Any]]:
        """Level options of a curriculum, easiest first; the last are the configuration's own."""
        return ({},)

    def bounded(self, max_steps: int) -> Self:
        """These settings, with a step limit if the environment has none; games have their own."""
        return self

    def notes(self) -> Sequence[str]:
        """What a run says first: how the environment is read, where that had to be guessed."""
        return ()

    def caption(self, info: Mapping[str, Any]) -> Caption:
        """Text beside a picture of one environment, from its info."""
        return {}

    def ending(self, info: Mapping[str, Any], terminated: bool) -> str:
        """How an episode ended, in a word or two, from its last info."""
        if info.get("solved"):
            return "solved"
        return self.failure if terminated else "time is up"

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        return {}
