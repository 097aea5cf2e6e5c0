"""Evaluate an agent on fresh levels."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from agents.evaluation.player import Agent, Player, playing
from agents.evaluation.scores import Evaluation
from agents.impala.episodes import Episode
from envs.fault import EnvironmentFault
from memory.options import positive

MOST_GAMES = 100
"""Largest number of games played at a time."""
MAX_STEPS = 10_000
"""Step limit of an episode in an environment that has none."""


def evaluate(
    agent: Agent,
    env_config: Any,
    *,
    episodes: int,
    seed: int = 0,
    greedy: bool = False,
    max_steps: int = MAX_STEPS,
    watch: Callable[[int], object] | None = None,
) -> Evaluation:
    """Play episodes on levels that training never uses, many games at a time.

    Each game plays a fixed number of episodes: taking the first that end in any game would favour
    short ones.

    Args:
        agent: a policy, or a function that makes a scripted player.
        env_config: an `EnvConfig`, such as an entry of `envs.ENVS`.
        seed: of the levels and the actions; determines the evaluation.
        greedy: a policy takes the most likely action instead of sampling.
        max_steps: after which an episode is truncated, if the environment has no limit of its own.
        watch: called with the number of finished episodes whenever some end.

    Raises:
        EnvironmentFault: an environment failed.
    """
    positive(episodes=episodes, max_steps=max_steps)
    bounded = env_config.bounded(max_steps)
    env = bounded.make_vector(min(episodes, MOST_GAMES))
    try:
        with playing(agent, env, seed=seed, greedy=greedy) as player:
            sheet = ScoreSheet(quotas(episodes, env.num_envs), (*env_config.report, "solved"))
            _play(player, env, sheet, watch or (lambda _: None))
    finally:
        env.close()
    imposed = None if bounded is env_config else max_steps
    ended = sheet.episodes(), sheet.out_of_time()
    return Evaluation(*ended, env_config.report, seed, greedy, imposed)


def quotas(episodes: int, games: int) -> np.ndarray:
    """Number of episodes of each game, int64 `[games]`; they differ by at most one."""
    return episodes // games + (np.arange(games) < episodes % games)


def _play(
    player: Player, env: VectorEnv, sheet: "ScoreSheet", watch: Callable[[int], object]
) -> None:
    while not sheet.full:
        observations, rewards, terminated, truncated, info = env.step(player.act())
        ended = terminated | truncated
        sheet.note(rewards, terminated, truncated, info.get("final_info", {}))
        player.observe(observations, rewards, ended)
        if ended.any():
            watch(sheet.count)


class ScoreSheet:
    """The episodes of each game, up to its quota."""

    def __init__(self, quotas: np.ndarray, keys: tuple[str, ...]) -> None:
        self.quotas, self.keys = quotas, keys
        self._episodes: list[list[Episode]] = [[] for _ in quotas]
        self._out_of_time: list[list[bool]] = [[] for _ in quotas]
        self._returns = np.zeros(len(quotas))
        self._lengths = np.zeros(len(quotas), np.int64)

    def note(
        self,
        rewards: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        final: Mapping[str, Any],
    ) -> None:
        """Add one step of all games; episodes beyond the quota are not counted."""
        if not np.isfinite(rewards).all():
            game = int((~np.isfinite(rewards)).argmax())
            raise EnvironmentFault(
                game,
                f"game {game}, step {self._lengths[game] + 1} of its episode: reward is not finite",
            )
        self._returns += rewards
        self._lengths += 1
        ended = terminated | truncated
        for game in ended.nonzero()[0]:
            if len(self._episodes[game]) < self.quotas[game]:
                self._episodes[game].append(self._episode(int(game), final))
                self._out_of_time[game].append(not terminated[game])
        self._returns[ended] = 0
        self._lengths[ended] = 0

    def _episode(self, game: int, final: Mapping[str, Any]) -> Episode:
        info = {key: float(final[key][game]) for key in self.keys if key in final}
        return Episode(game, float(self._returns[game]), int(self._lengths[game]), info)

    @property
    def count(self) -> int:
        """Number of finished episodes."""
        return sum(map(len, self._episodes))

    @property
    def full(self) -> bool:
        """Whether every game has played its quota."""
        return self.count == int(self.quotas.sum())

    def episodes(self) -> list[Episode]:
        """The episodes, game by game."""
        return [episode for of_game in self._episodes for episode in of_game]

    def out_of_time(self) -> list[bool]:
        """Which of the episodes were truncated, in the same order."""
        return [bool(late) for of_game in self._out_of_time for late in of_game]
