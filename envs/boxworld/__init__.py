"""BoxWorld: keys, boxes, and one chain of boxes that leads to the gem."""

from envs.boxworld.game import BoxWorld, BoxWorldConfig

__all__ = ["BoxWorld", "BoxWorldConfig"]
