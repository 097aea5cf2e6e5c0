"""The settings of a game with compiled rules."""

from abc import abstractmethod
from typing import Any, ClassVar

from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from envs.config import EnvConfig
from envs.game import Game
from envs.single import GameEnv
from envs.vector import GameVectorEnv


class GameConfig(EnvConfig):
    """An `EnvConfig` whose environments play a `Game`."""

    step_limit: ClassVar[str] = "max_steps"
    """Name of the field with the number of steps after which an episode is truncated."""

    @property
    def max_episode_steps(self) -> int:
        """Steps after which an episode is truncated."""
        return getattr(self, self.step_limit)

    @abstractmethod
    def game(self, num_games: int) -> Game[Any]:
        """A batch of games with these settings."""

    def make(self, *, render_mode: str | None = None) -> GameEnv:
        """Make one environment."""
        env = GameEnv(self.game(1), render_mode=render_mode)
        env.spec = self._spec
        return env

    def make_vector(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> GameVectorEnv:
        """Make a batch of environments."""
        env = GameVectorEnv(
            self.game(num_envs), autoreset_mode=autoreset_mode, render_mode=render_mode
        )
        env.spec = self._spec
        return env

    @property
    def _spec(self) -> EnvSpec:
        make: Any = self.make  # takes no other arguments than a specification without any passes
        return EnvSpec(self.id, make, max_episode_steps=self.max_episode_steps)
