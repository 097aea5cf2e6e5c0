"""What must be settled in a process before PyTorch and Ray are imported."""

import ctypes
import os
import sys

LARGEST_KEPT = 1 << 30
"""Bytes: a block that was freed is reused if it is no larger."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of options in glibc's malloc.h."""


def prepare() -> None:
    """Settle threads, memory and Ray's token; scripts call this before all else.

    OpenMP's threads otherwise spin while they wait, which on shared cores slows everything down by
    an order of magnitude. Ray listens on all interfaces, and newer versions alone insist on the
    token. A setting of the user's own stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Have this process reuse large blocks of memory where glibc would give them back at once.

    Every update frees and asks for the same few dozen megabytes. The system would clear them anew
    each time, which takes between a twentieth and half of an update. A setting of the user's own
    stays; where there is no glibc nothing changes.
    """
    if sys.platform != "linux" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGEST_KEPT)
        set_option(M_TRIM_THRESHOLD, LARGEST_KEPT)
