"""Mini Pacman: clear a maze of its food while ghosts give chase."""

from envs.minipacman.config import MiniPacmanConfig
from envs.minipacman.game import MiniPacman

__all__ = ["MiniPacman", "MiniPacmanConfig"]
