"""What a process must know before torch is imported."""

import os


def prepare() -> None:
    """Let idle OpenMP threads sleep: spinning, they cost a learner on shared cores dearly."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
