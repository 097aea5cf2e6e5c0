"""What must be settled in a process before PyTorch and Ray are imported."""

import os


def prepare() -> None:
    """Let idle threads sleep, and Ray ask for its token; scripts call this before all else.

    OpenMP's threads otherwise spin while they wait, which on shared cores slows everything down by
    an order of magnitude. Ray listens on all interfaces, and newer versions alone insist on the
    token. A setting of the user's own stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
