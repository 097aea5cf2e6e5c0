"""Mini Pacman: eat all the food of a maze while ghosts chase Pacman."""

from envs.minipacman.game import MiniPacman, MiniPacmanConfig

__all__ = ["MiniPacman", "MiniPacmanConfig"]
