"""Mini Pacman: clear a maze of its food while ghosts give chase."""

from envs.minipacman.game import MiniPacman, MiniPacmanConfig

__all__ = ["MiniPacman", "MiniPacmanConfig"]
