"""BoxWorld: keys, boxes, and one chain of them that leads to the gem."""

from envs.boxworld.config import BoxWorldConfig
from envs.boxworld.game import BoxWorld

__all__ = ["BoxWorld", "BoxWorldConfig"]
