"""Play a game with the keyboard, one step per key press."""

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from agents.cli.command import CommandError, add_env, at_least, choose_env, plain_errors
from agents.cli.exit_status import OK
from agents.cli.invocation import program_name
from agents.evaluation.video.level import draw_game
from agents.evaluation.video.picture import Scene, caption, compose
from envs import EnvConfig
from envs.game_config import GameConfig

QUIT, NEW = "quit", "new"
SAME_KEYS = {"w": "up", "s": "down", "a": "left", "d": "right"}


class Table:
    """A game, its score, and its picture.

    Args:
        view: `full` shows the game and the agent's view; `agent` only the view.
        seed: of the levels; None draws a random one.
    """

    def __init__(self, config: GameConfig, view: str, seed: int | None) -> None:
        self.config, self.env, self.view = config, config.make(), view
        self.begin(seed)

    def begin(self, seed: int | None = None) -> None:
        """Start an episode."""
        _, self.info = self.env.reset(seed=seed)
        self.episode_return, self.step = 0.0, 0
        self.terminated = self.ended = False

    def press(self, key: str) -> None:
        """Take a step, or start a new level; other keys do nothing."""
        key = SAME_KEYS.get(key, key)
        if key == NEW or (self.ended and key in self.config.keys):
            self.begin()
        elif key in self.config.keys:
            _, reward, self.terminated, truncated, self.info = self.env.step(
                self.config.keys[key].action
            )
            self.episode_return, self.step = self.episode_return + reward, self.step + 1
            self.ended = self.terminated or truncated

    def picture(self) -> np.ndarray:
        """The current picture."""
        level, view = draw_game(self.env.game, 0)
        return compose(
            Scene(
                self.config.id,
                caption(self.config.caption(self.info), self.episode_return, self.step),
                level if self.view == "full" else None,
                view or level if self.view == "agent" else view,
                ending=self.config.ending(self.info, self.terminated) if self.ended else None,
                note="press a key for a new level" if self.ended else describe_keys(self.config),
            )
        )


def play(table: Table, keys: Iterator[str], show: Callable[[np.ndarray], None]) -> None:
    """Play until `keys` ends or yields QUIT."""
    show(table.picture())
    for key in keys:
        if key == QUIT:
            return
        table.press(key)
        show(table.picture())


def main(argv: list[str]) -> int:
    """Play a game in a window; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=program_name("play.py"),
        description="Play a game with the keyboard; WASD act as the arrow keys. The title of the "
        "window lists the keys; N starts a new level, Q or Escape quits.",
        allow_abbrev=False,
    )
    add_env(parser)
    parser.add_argument(
        "--view",
        choices=("full", "agent"),
        default="full",
        help="the whole game, or only the agent's view",
    )
    parser.add_argument("--seed", type=at_least(0), help="of the levels (default: random)")
    args, env_flags = parser.parse_known_args(argv)
    with plain_errors(parser.prog):
        config = choose_env(args.env, env_flags)
        table = Table(_playable(args.env, config), args.view, args.seed)
        _play_in_window(table, f"Engram: {args.env} - {describe_keys(config)}")
    return OK


def describe_keys(config: EnvConfig) -> str:
    """What each key does, in one line."""
    keys = [
        name if name == key.label else f"{name}: {key.label}" for name, key in config.keys.items()
    ]
    return ", ".join([*keys, "n: new level", "q: quit"])


def _playable(name: str, config: EnvConfig) -> GameConfig:
    """The configuration itself, if there is a key for each of its actions."""
    kind = type(config).__name__
    if not isinstance(config, GameConfig):
        raise CommandError(
            f"--env {name} cannot be played: {kind} does not inherit from "
            "envs.game_config.GameConfig."
        )
    actions = range(int(config.game(1).action_space.n))
    missing = sorted({*actions} - {key.action for key in config.keys.values()})
    if missing:
        raise CommandError(
            f"--env {name} cannot be played: {kind}.keys has no key for the actions {missing}."
        )
    return config


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
    """Shows pictures."""

    def __init__(self, pygame: Any, title: str) -> None:
        self.pygame = pygame
        pygame.display.init()
        _check_display(pygame.display.get_driver())
        pygame.display.set_caption(title)
        pygame.key.set_repeat(250, 80)  # milliseconds: before a held key repeats, and between

    def show(self, picture: np.ndarray) -> None:
        surface = self.pygame.surfarray.make_surface(picture.swapaxes(0, 1))
        screen = self.pygame.display.get_surface()
        if screen is None or screen.get_size() != surface.get_size():
            screen = self.pygame.display.set_mode(surface.get_size())
        screen.blit(surface, (0, 0))
        self.pygame.display.flip()


def _check_display(driver: str) -> None:
    """Refuse to play where nobody sees it: without a display SDL draws into memory."""
    if driver in ("dummy", "offscreen") and "SDL_VIDEODRIVER" not in os.environ:
        raise CommandError(
            "no display is found, so no window can be opened. Play on a machine with a screen, "
            "or over ssh -X."
        )


def _keys(pygame: Any) -> Iterator[str]:
    """Names of the keys as they are pressed; NEW and QUIT for the keys of the program."""
    meanings = {"escape": QUIT, "q": QUIT, "n": NEW}
    while True:
        event = pygame.event.wait()
        if event.type == pygame.QUIT:
            yield QUIT
        elif event.type == pygame.KEYDOWN:
            name = str(pygame.key.name(event.key))
            yield meanings.get(name, name)
