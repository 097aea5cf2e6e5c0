"""Checkpoints of a training run: what they hold, when they are written, and going back to one."""
