"""Measuring an agent on fresh levels."""

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
"""Games that are played at a time."""


def evaluate(
    agent: Agent,
    env_config: Any,
    *,
    episodes: int,
    seed: int = 0,
    greedy: bool = False,
    watch: Callable[[int], object] | None = None,
) -> Evaluation:
    """Play episodes on levels that training never draws, many games at a time.

    Each game plays a fixed number of episodes. Taking the first that end, whichever games they are
    of, would take too many of the short ones.

    Args:
        agent: a policy, or what makes a scripted player from the vector environment and a seed.
        env_config: an entry of `envs.ENVS`, or another of its kind.
        seed: of the levels and the actions; the same seed, the same evaluation.
        greedy: a policy takes the likeliest action instead of drawing one.
        watch: told how many episodes are over, whenever some end.

    Raises:
        EnvironmentFault: an environment failed.
    """
    positive(episodes=episodes)
    env = env_config.make_vector(min(episodes, MOST_GAMES))
    try:
        with playing(agent, env, seed=seed, greedy=greedy) as player:
            sheet = ScoreSheet(quotas(episodes, env.num_envs), (*env_config.report, "solved"))
            _play(player, env, sheet, watch or (lambda _: None))
    finally:
        env.close()
    return Evaluation(sheet.episodes(), env_config.report, seed, greedy)


def quotas(episodes: int, games: int) -> np.ndarray:
    """How many episodes each game plays: int64 `[games]`, all the same or one more."""
    return episodes // games + (np.arange(games) < episodes % games)


def _play(
    player: Player, env: VectorEnv, sheet: "ScoreSheet", watch: Callable[[int], object]
) -> None:
    while not sheet.full:
        observations, rewards, terminated, truncated, info = env.step(player.act())
        ended = terminated | truncated
        sheet.note(rewards, ended, info.get("final_info", {}))
        player.see(observations, rewards, ended)
        if ended.any():
            watch(sheet.count)


class ScoreSheet:
    """The episodes of each game, up to its quota."""

    def __init__(self, quotas: np.ndarray, keys: tuple[str, ...]) -> None:
        self.quotas, self.keys = quotas, keys
        self._episodes: list[list[Episode]] = [[] for _ in quotas]
        self._returns = np.zeros(len(quotas))
        self._lengths = np.zeros(len(quotas), np.int64)

    def note(self, rewards: np.ndarray, ended: np.ndarray, final: Mapping[str, Any]) -> None:
        """One step of all games; a game that has played its quota plays on uncounted."""
        if not np.isfinite(rewards).all():
            game = int((~np.isfinite(rewards)).argmax())
            raise EnvironmentFault(
                game,
                f"game {game}, step {self._lengths[game] + 1} of its episode: reward is not finite",
            )
        self._returns += rewards
        self._lengths += 1
        for game in ended.nonzero()[0]:
            if len(self._episodes[game]) < self.quotas[game]:
                self._episodes[game].append(self._episode(int(game), final))
        self._returns[ended] = 0
        self._lengths[ended] = 0

    def _episode(self, game: int, final: Mapping[str, Any]) -> Episode:
        info = {key: float(final[key][game]) for key in self.keys if key in final}
        return Episode(game, float(self._returns[game]), int(self._lengths[game]), info)

    @property
    def count(self) -> int:
        """Episodes noted."""
        return sum(map(len, self._episodes))

    @property
    def full(self) -> bool:
        """Whether every game has played its quota."""
        return self.count == int(self.quotas.sum())

    def episodes(self) -> list[Episode]:
        """Game by game."""
        return [episode for of_game in self._episodes for episode in of_game]
