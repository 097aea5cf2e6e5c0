"""How OpenMP's threads wait. PyTorch computes with them on a CPU."""

import os
import sys
import warnings

VARIABLE = "OMP_WAIT_POLICY"


def set_wait_policy() -> None:
    """Let threads sleep while they wait, unless the user has set `OMP_WAIT_POLICY`.

    By default they spin for some milliseconds after each operation. Where other processes use the
    same CPUs, this makes an update several times slower, since a recurrent core consists of many
    small operations. OpenMP reads the variable once, when PyTorch is loaded; a warning says so if
    that is past.
    """
    if VARIABLE in os.environ:
        return
    torch = sys.modules.get("torch")
    if torch is None:
        os.environ[VARIABLE] = "PASSIVE"
    elif sys.platform == "linux" and torch.get_num_threads() > 1:
        warnings.warn(
            f"PyTorch was imported before memory, so its threads spin while they wait, which can "
            f"slow a core down several times on a busy CPU. Import memory first, set {VARIABLE}="
            "PASSIVE before Python starts, or call torch.set_num_threads(1).",
            RuntimeWarning,
            stacklevel=3,
        )
