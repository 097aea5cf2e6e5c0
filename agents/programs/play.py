"""Play a game yourself: every key pressed is one step."""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from agents.cli.command import CommandError, add_env, at_least, choose_env, plain_errors
from agents.evaluation.picture import compose, facts
from envs import BoxWorldConfig, MiniPacmanConfig
from envs.game import Game
from envs.single import GameEnv

QUIT, NEW = "quit", "new"
STEPS: dict[type, dict[str, int]] = {
    BoxWorldConfig: {"up": 0, "down": 1, "left": 2, "right": 3},
    MiniPacmanConfig: {"space": 0, "right": 1, "up": 2, "left": 3, "down": 4},
}
"""Actions of each game by the name of the key."""

SAME_KEYS = {"w": "up", "s": "down", "a": "left", "d": "right"}


class Table:
    """A game, its score, and what of it is shown.

    Args:
        view: `full` shows all and what the agent sees; `agent` only what the agent sees.
        seed: of the levels; None for new ones each time.
    """

    def __init__(self, env_config: Any, view: str, seed: int | None) -> None:
        self.env: GameEnv = env_config.make()
        self.view, self.keys = view, STEPS[type(env_config)]
        self.begin(seed)

    def begin(self, seed: int | None = None) -> None:
        """Begin an episode."""
        _, self.info = self.env.reset(seed=seed)
        self.episode_return, self.step, self.ended = 0.0, 0, False

    def press(self, key: str) -> None:
        """Take a step, or begin anew; other keys do nothing."""
        key = SAME_KEYS.get(key, key)
        if key == NEW or (self.ended and key in self.keys):
            self.begin()
        elif key in self.keys:
            _, reward, terminated, truncated, self.info = self.env.step(self.keys[key])
            self.episode_return, self.step = self.episode_return + reward, self.step + 1
            self.ended = terminated or truncated

    def picture(self) -> np.ndarray:
        """What there is to see."""
        game: Game = self.env.game
        told = facts(self.info, self.episode_return, self.step)
        if self.ended:
            told["over:"] = "press a key"
        if self.view == "agent":
            return compose(game.view(0), None, told)
        return compose(game.frame(0), game.view(0), told)


def play(table: Table, keys: Iterator[str], show: Callable[[np.ndarray], None]) -> None:
    """Play until `keys` ends or says to quit."""
    show(table.picture())
    for key in keys:
        if key == QUIT:
            return
        table.press(key)
        show(table.picture())


def main(argv: list[str]) -> int:
    """`scripts/play.py`: play a game in a window."""
    parser = argparse.ArgumentParser(
        prog="play.py",
        description="Play a game with the arrow keys or WASD (space: stay); N begins a new level, "
        "Q or Escape ends.",
        allow_abbrev=False,
    )
    add_env(parser)
    parser.add_argument(
        "--view", choices=("full", "agent"), default="full", help="all, or what an agent sees"
    )
    parser.add_argument("--seed", type=at_least(0), help="of the levels (default: new ones)")
    args, env_flags = parser.parse_known_args(argv)
    with plain_errors(parser.prog):
        config = choose_env(parser.prog, args.env, env_flags)
        if type(config) not in STEPS:
            raise CommandError(f"--env {args.env}: only BoxWorld and Mini Pacman have keys here.")
        table = Table(config, args.view, args.seed)
        _play_in_window(table, f"Engram: {args.env}")
    return 0


def _play_in_window(table: Table, title: str) -> None:
    try:
        import pygame
    except ImportError:
        raise CommandError("playing needs pygame: pip install pygame-ce") from None
    try:
        play(table, _keys(pygame), _Window(pygame, title).show)
    except pygame.error as error:
        raise CommandError(f"no window can be opened: {error}") from None
    finally:
        pygame.quit()


class _Window:
    """Shows pictures as they come."""

    def __init__(self, pygame: Any, title: str) -> None:
        self.pygame = pygame
        pygame.display.init()
        pygame.display.set_caption(title)
        pygame.key.set_repeat(250, 80)  # milliseconds: before a held key repeats, and between

    def show(self, picture: np.ndarray) -> None:
        surface = self.pygame.surfarray.make_surface(picture.swapaxes(0, 1))
        screen = self.pygame.display.get_surface()
        if screen is None or screen.get_size() != surface.get_size():
            screen = self.pygame.display.set_mode(surface.get_size())
        screen.blit(surface, (0, 0))
        self.pygame.display.flip()


def _keys(pygame: Any) -> Iterator[str]:
    """Names of the keys as they are pressed, and what the keys of a window mean."""
    meanings = {"escape": QUIT, "q": QUIT, "n": NEW}
    while True:
        event = pygame.event.wait()
        if event.type == pygame.QUIT:
            yield QUIT
        elif event.type == pygame.KEYDOWN:
            name = str(pygame.key.name(event.key))
            yield meanings.get(name, name)
