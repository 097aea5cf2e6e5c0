"""What must be settled in a process before PyTorch is imported."""

import os


def prepare() -> None:
    """Let idle threads sleep; scripts call this before they import anything that needs PyTorch.

    OpenMP's threads otherwise spin while they wait, which on shared cores slows everything down by
    an order of magnitude. A setting of the user's own stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
