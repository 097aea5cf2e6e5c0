"""IMPALA: actors in Ray workers, a learner in this process.

Source: Espeholt et al. 2018. Workers act without waiting for the learner, and the learner takes
what is ready; what lies between is bounded on both sides: a worker is asked for another unroll only
while there is room, and trajectories that grew too old are dropped.

The only module that knows Ray.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import RayActorError, RayTaskError

from agents.config import ImpalaConfig
from agents.workers import ActingGroup, Delivery, Orders, Workers, WorkersLost
from envs.fault import EnvironmentFault

ROOT = Path(__file__).resolve().parents[1]
IN_FLIGHT = 2
"""Unrolls asked of a worker at a time, so that it need not wait for the learner's next turn."""
MOST_RESTARTS = 10
"""Restarts in a row, without one unroll between them, after which a run ends."""


@ray.remote(max_restarts=-1)
class _Worker:
    """A process that hosts a group of actors."""

    def __init__(self, config: ImpalaConfig, actors: range) -> None:
        torch.set_num_threads(1)
        self.config, self.actors = config, actors
        self.group: ActingGroup | None = None

    def act(self, weights: np.ndarray, version: int, level_options: dict) -> Delivery:
        if self.group is None:  # also after a restart: then with new levels
            self.group = ActingGroup(self.config, self.actors, version)
        return self.group.act(Orders(torch.from_numpy(weights.copy()), version, level_options))


class RayWorkers(Workers):
    """The run's actors, spread over the workers of a Ray that was started by `start_ray`.

    Args:
        orders: what to act with, asked for at most once per learner update.

    Raises:
        WorkersLost: from `gather`, with the last cause.
        EnvironmentFault: from `gather`, unless the run restarts workers on it.
    """

    def __init__(self, config: ImpalaConfig, orders: Callable[[], Orders]) -> None:
        self.config, self.orders = config, orders
        self.num_restarts = 0
        self._restarts_in_a_row = 0
        groups = np.array_split(np.arange(config.actors), num_workers(config))
        self._actors = [range(int(g[0]), int(g[-1]) + 1) for g in groups]
        self.num_processes = len(groups)
        self._workers: list[Any] = [self._start(actors) for actors in self._actors]
        self._in_flight: dict[ray.ObjectRef, int] = {}
        self._published: tuple[int, ray.ObjectRef] | None = None

    def gather(self, room: int, wait: bool) -> list[Delivery]:
        """Ask workers for unrolls while there is room; return those that have arrived."""
        self._ask(room)
        if not self._in_flight:
            return []
        ready, _ = ray.wait(
            list(self._in_flight), num_returns=len(self._in_flight), timeout=0, fetch_local=False
        )
        if wait and not ready:
            ready, _ = ray.wait(list(self._in_flight), num_returns=1, timeout=1.0)
        return [delivery for ref in ready for delivery in self._receive(ref)]

    def close(self) -> None:
        """Stop the workers, and Ray where this run started it."""
        ray.shutdown()

    def _start(self, actors: range) -> Any:
        share = min(1.0, ray.cluster_resources().get("CPU", 1.0) / num_workers(self.config))
        options = _Worker.options(num_cpus=share, scheduling_strategy="SPREAD")
        return options.remote(self.config, actors)

    def _ask(self, room: int) -> None:
        """Ask the least busy workers first."""
        promised = sum(len(self._actors[i]) for i in self._in_flight.values())
        for depth in range(IN_FLIGHT):
            for index, worker in enumerate(self._workers):
                busy = sum(i == index for i in self._in_flight.values())
                size = len(self._actors[index])
                if busy == depth and promised + size <= room:
                    weights, version, options = self._publish()
                    self._in_flight[worker.act.remote(weights, version, options)] = index
                    promised += size

    def _publish(self):
        """The newest orders, their weights put into the object store once per version."""
        orders = self.orders()
        if self._published is None or self._published[0] != orders.version:
            self._published = (orders.version, ray.put(orders.weights.numpy()))
        return self._published[1], orders.version, orders.level_options

    def _receive(self, ref: ray.ObjectRef) -> list[Delivery]:
        index = self._in_flight.pop(ref)
        try:
            delivery = ray.get(ref)
        except RayTaskError as error:
            if not isinstance(error.cause, EnvironmentFault):
                raise
            if self.config.on_env_error == "stop":
                raise error.cause from None
            self._count_restart(error.cause)
            ray.kill(self._workers[index])
            self._workers[index] = self._start(self._actors[index])
            return []
        except RayActorError as error:
            self._count_restart(error)  # Ray starts it again; its unroll is asked for anew
            return []
        self._restarts_in_a_row = 0
        return [delivery]

    def _count_restart(self, cause: Exception) -> None:
        self.num_restarts += 1
        self._restarts_in_a_row += 1
        if self._restarts_in_a_row > MOST_RESTARTS:
            raise WorkersLost(
                f"{self._restarts_in_a_row} workers were lost in a row; the last: {cause}"
            ) from cause


def num_workers(config: ImpalaConfig) -> int:
    """Worker processes: as asked, or all CPUs of the cluster but one, which is the learner's."""
    if config.workers != "auto":
        return config.workers
    cpus = int(ray.cluster_resources().get("CPU", os.cpu_count() or 1))
    return max(1, min(config.actors, cpus - 1))


def start_ray(config: ImpalaConfig) -> None:
    """Join the cluster at `ray_address`, or start Ray on this machine without a dashboard.

    Workers find this project whatever else is installed, and compute with one thread that never
    spins: on shared cores a spinning pool costs a learner an order of magnitude.

    Raises:
        ValueError: Ray's token authentication was switched off.
        ConnectionError: there is no cluster at the address.
    """
    environment = {
        "PYTHONPATH": os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH")) if p),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if os.environ.get("RAY_AUTH_MODE", "token") != "token":
        raise ValueError(
            f"RAY_AUTH_MODE is {os.environ['RAY_AUTH_MODE']!r}: Ray listens on all interfaces, and "
            "without its token anybody who reaches this machine can run programs on it. Unset it."
        )
    ray.init(
        address=config.ray_address,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": environment},
        include_dashboard=None if config.ray_address else False,
    )
