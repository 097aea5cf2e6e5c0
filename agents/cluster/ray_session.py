"""Starts Ray or joins a cluster, and leaves it."""

import logging
import os
from pathlib import Path

import ray

ROOT = Path(__file__).resolve().parents[2]


def connect_ray(ray_address: str | None) -> None:
    """Join the cluster at an address, or start Ray on this machine without a dashboard.

    Workers import this project from its folder, and compute with one thread that does not spin
    while it waits: on shared cores spinning slows a learner down by an order of magnitude.

    Raises:
        ValueError: Ray's token authentication is switched off.
        ConnectionError: there is no cluster at the address.
    """
    environment = {
        "PYTHONPATH": os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        raise ValueError(
            f"RAY_AUTH_MODE is {os.environ['RAY_AUTH_MODE']!r}, expected token: Ray listens on all "
            "interfaces, and without its token anyone who can reach this machine can run programs "
            "on it. Unset it."
        )
    ray.init(
        address=ray_address or "local",
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": environment},
        include_dashboard=None if ray_address else False,
    )


def leave_ray() -> None:
    """Leave the cluster; stops Ray if this process started it."""
    ray.shutdown()
