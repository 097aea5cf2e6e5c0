"""An agent's episodes, step by step, as scenes to draw."""

# pyright: standard

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from agents.evaluation.player import Acted, Player, PolicyPlayer
from agents.evaluation.video.level import draw_env
from agents.evaluation.video.memory import MemoryRecorder
from agents.evaluation.video.picture import Scene, caption
from agents.impala.episodes import Episode
from agents.networks.distributions import Categorical
from envs import EnvConfig
from envs.vector import GameVectorEnv


class Show:
    """Plays the games of a vector environment, and shows some of them.

    Args:
        env: without automatic reset, so that the last frame of an episode can be drawn.
        player: that has seen the first observations.
        shown: indices of the games to show.
        title: of the pictures.
        with_memory: whether scenes have the memory's parts.
    """

    def __init__(
        self,
        env: VectorEnv,
        env_config: EnvConfig,
        player: Player,
        shown: Sequence[int],
        *,
        title: str,
        with_memory: bool,
    ) -> None:
        self.env, self.env_config, self.player, self.title = env, env_config, player, title
        self.shown, self.with_memory = shown, with_memory
        self.played: list[Episode] = []
        """The episodes of the shown games that have ended."""

    def episode(self) -> Iterator[list[Scene]]:
        """Play until the episodes of all shown games have ended; yields a scene of each.

        A game that has ended keeps its last scene.
        """
        tracks = [_Track(self, game) for game in self.shown]
        while not all(track.final for track in tracks):
            actions = self.player.act()
            acted = self.player.acted if isinstance(self.player, PolicyPlayer) else None
            yield [track.final or track.scene(actions, acted) for track in tracks]
            observations, rewards, terminated, truncated, info = self.env.step(actions)
            for track in tracks:
                track.note(rewards, terminated, truncated, info)
            ended = terminated | truncated
            if ended.any():
                observations, _ = self.env.reset(options={"reset_mask": ended})
            self.player.observe(observations, rewards, ended)
        yield [track.final for track in tracks if track.final]


class _Track:
    """One episode of one shown game."""

    def __init__(self, show: Show, game: int) -> None:
        self.show, self.game = show, game
        self.episode_return, self.step = 0.0, 0
        self.values: list[float] = []
        self.memory: MemoryRecorder | None = None
        self.agent: dict[str, Any] = {}
        self.final: Scene | None = None
        """The last scene, once the episode has ended."""

    def scene(self, actions: np.ndarray, acted: Acted | None) -> Scene:
        """The game before its next action, and what the agent has in mind."""
        labels = {key.action: key.label for key in self.show.env_config.keys.values()}
        if np.ndim(actions[self.game]):
            name = " ".join(f"{number:.2f}" for number in actions[self.game])
        else:
            name = labels.get(int(actions[self.game]), str(actions[self.game]))
        self.agent = {"action": name}
        if acted is not None:
            self._read(acted, labels)
        return self._draw()

    def _read(self, acted: Acted, labels: dict[int, str]) -> None:
        assert isinstance(self.show.player, PolicyPlayer)
        policy = self.show.player.policy
        self.values.append(float(acted.action.values[self.game]))
        self.agent["values"] = tuple(self.values)
        if isinstance(policy.distribution, Categorical):
            chances = acted.action.logits[self.game].softmax(-1).tolist()
            self.agent["probabilities"] = {labels.get(a, str(a)): p for a, p in enumerate(chances)}
        if self.show.with_memory:
            self.memory = self.memory or MemoryRecorder(policy, self.game)
            self.agent["parts"] = self.memory.record(acted)

    def note(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, info: Any
    ) -> None:
        """Count a step, and draw the last scene where the episode ends; nothing after that."""
        game = self.game
        if self.final:
            return
        self.episode_return, self.step = self.episode_return + float(rewards[game]), self.step + 1
        if terminated[game] or truncated[game]:
            names = (*self.show.env_config.report, "solved")
            numbers = {name: float(info[name][game]) for name in names if name in info}
            episode = Episode(game, self.episode_return, self.step, numbers)
            self.show.played.append(episode)
            how = self.show.env_config.ending(numbers, bool(terminated[game]))
            self.final = self._draw(how)

    def _draw(self, ending: str | None = None) -> Scene:
        env = self.show.env
        level, view = draw_env(env, self.game)
        of_game = {}
        if isinstance(env, GameVectorEnv):
            info = {name: values[self.game] for name, values in env.game.info().items()}
            of_game = self.show.env_config.caption(info)
        text = caption(of_game, self.episode_return, self.step)
        note = f"return {self.episode_return:.4g} in {self.step} steps" if ending else ""
        return Scene(self.show.title, text, level, view, **self.agent, ending=ending, note=note)
