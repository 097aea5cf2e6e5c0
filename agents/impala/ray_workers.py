"""IMPALA: actors in Ray workers, a learner in this process.

Source: Espeholt et al. 2018. Workers act without waiting for the learner, and the learner takes
what is ready; what lies between is bounded on both sides: a worker is asked for another unroll only
while there is room, and trajectories that grew too old are dropped.

Besides it, the launcher of benchmarks and the processes that share batches know Ray.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import RayError, RayTaskError

from agents.cluster.ray_session import leave_ray
from agents.impala.config import ImpalaConfig
from agents.impala.workers import ActingGroup, Delivery, Orders, Workers, WorkersLost
from envs.fault import EnvironmentFault

IN_FLIGHT = 2
"""Unrolls asked of a worker at a time, so that it need not wait for the learner's next turn."""
MOST_LOSSES = 10
"""Losses of one worker in a row, without an unroll between them, after which a run ends."""
DEADLINE = 300.0
"""Seconds after which a worker that has given nothing counts as lost."""


@ray.remote
class _Worker:
    """A process that hosts a group of actors."""

    def __init__(self, config: ImpalaConfig, actors: range, attempt: int) -> None:
        torch.set_num_threads(1)
        self.config, self.actors, self.attempt = config, actors, attempt
        self.group: ActingGroup | None = None

    def act(self, weights: np.ndarray, version: int, level_options: dict) -> Delivery:
        if self.group is None:
            self.group = ActingGroup(self.config, self.actors, version, self.attempt)
        return self.group.act(Orders(torch.from_numpy(weights.copy()), version, level_options))


class _Host:
    """One worker as this process sees it; replaced by a new process when it is lost."""

    def __init__(self, config: ImpalaConfig, actors: range, cpus: float, gpus: float) -> None:
        self.config, self.actors, self.cpus, self.gpus = config, actors, cpus, gpus
        self.asked: dict[ray.ObjectRef, float] = {}
        """Unrolls in flight, and when they were asked for."""
        self.attempt = 0
        self.losses: list[BaseException] = []
        """Why it was lost, since it last gave an unroll."""
        self.worker = self._start()

    def ask(self, weights: ray.ObjectRef, orders: Orders) -> None:
        """Ask for one more unroll."""
        ref = self.worker.act.remote(weights, orders.version, orders.level_options)
        self.asked[ref] = time.monotonic()

    def receive(self, ref: ray.ObjectRef) -> Delivery:
        """The unroll, which is there or failed."""
        del self.asked[ref]
        delivery = ray.get(ref)
        self.losses.clear()
        return delivery

    @property
    def is_overdue(self) -> bool:
        """Whether what was asked first should have been there long ago."""
        return bool(self.asked) and time.monotonic() - min(self.asked.values()) > DEADLINE

    def replace(self, cause: BaseException) -> None:
        """Start a new process in the place of this one; what was asked of it is forgotten.

        Raises:
            WorkersLost: it was lost too often in a row; tells the first cause.
        """
        self.losses.append(cause)
        if len(self.losses) > MOST_LOSSES:
            raise WorkersLost(
                f"the worker of actors {self.actors[0]} to {self.actors[-1]} was lost "
                f"{len(self.losses)} times in a row; at first: {self.losses[0]}"
            ) from self.losses[0]
        ray.kill(self.worker)
        self.asked.clear()
        self.attempt += 1
        self.worker = self._start()

    def _start(self) -> Any:
        options = _Worker.options(
            num_cpus=self.cpus, num_gpus=self.gpus, scheduling_strategy="SPREAD"
        )
        return options.remote(self.config, self.actors, self.attempt)


class RayWorkers(Workers):
    """The run's actors, spread over the workers of a Ray that was started by `connect_ray`.

    Args:
        orders: what to act with; its weights are published once per learner update.
    """

    def __init__(self, config: ImpalaConfig, orders: Callable[[], Orders]) -> None:
        self.config, self.orders = config, orders
        self.num_restarts = 0
        self.num_processes = num_workers(config)
        cpus = min(1.0, ray.cluster_resources().get("CPU", 1.0) / self.num_processes)
        groups = np.array_split(np.arange(config.actors), self.num_processes)
        gpus = gpus_for_each(config, self.num_processes)
        self._hosts = [_Host(config, range(int(g[0]), int(g[-1]) + 1), cpus, gpus) for g in groups]
        self._published: tuple[int, ray.ObjectRef] | None = None

    def gather(self, room: int, wait: bool) -> list[Delivery]:
        """Ask workers for unrolls while there is room; return those that have arrived.

        Raises:
            EnvironmentFault: an environment failed, and the run is to stop then.
            WorkersLost: a worker is lost as often as it is started.
        """
        self._ask(room)
        asked = {ref: host for host in self._hosts for ref in host.asked}
        if not asked:
            return []
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0, fetch_local=False)
        if wait and not ready:
            ready, _ = ray.wait(list(asked), num_returns=1, timeout=1.0)
        deliveries = [self._receive(asked[ref], ref) for ref in ready]
        for host in self._hosts:
            if host.is_overdue:
                self._replace(host, TimeoutError(f"it gave nothing for {DEADLINE:.0f} seconds"))
        return [delivery for delivery in deliveries if delivery is not None]

    def close(self) -> None:
        """Stop the workers, and Ray where this run started it."""
        leave_ray()

    def _ask(self, room: int) -> None:
        """Ask the least busy workers first."""
        promised = sum(len(host.actors) * len(host.asked) for host in self._hosts)
        for depth in range(IN_FLIGHT):
            for host in self._hosts:
                if len(host.asked) == depth and promised + len(host.actors) <= room:
                    host.ask(*self._publish())
                    promised += len(host.actors)

    def _publish(self) -> tuple[ray.ObjectRef, Orders]:
        """The newest orders; their weights are put into the object store once per version."""
        orders = self.orders()
        if self._published is None or self._published[0] != orders.version:
            self._published = (orders.version, ray.put(orders.weights.numpy()))
        return self._published[1], orders

    def _receive(self, host: _Host, ref: ray.ObjectRef) -> Delivery | None:
        """The delivery, or None from a worker that was lost."""
        if ref not in host.asked:  # forgotten with a worker that was lost
            return None
        try:
            return host.receive(ref)
        except RayTaskError as error:
            if not isinstance(error.cause, EnvironmentFault):
                raise
            if self.config.on_env_error == "stop":
                raise error.cause from None
            self._replace(host, error.cause)
        except RayError as error:
            self._replace(host, error)
        return None

    def _replace(self, host: _Host, cause: BaseException) -> None:
        host.replace(cause)
        self.num_restarts += 1


def num_workers(config: ImpalaConfig) -> int:
    """Worker processes: as asked, or all CPUs of the cluster but one, which is the learner's."""
    if config.workers != "auto":
        return config.workers
    cpus = int(ray.cluster_resources().get("CPU", os.cpu_count() or 1))
    return max(1, min(config.actors, cpus - 1))


def gpus_for_each(config: ImpalaConfig, processes: int) -> float:
    """A worker's share of the cluster's GPUs; none where the actors compute on CPUs.

    Raises:
        ValueError: the actors are to compute on GPUs and the cluster has none.
    """
    if config.acting_device == "cpu":
        return 0.0
    gpus = ray.cluster_resources().get("GPU", 0.0)
    if not gpus:
        raise ValueError("--acting-device cuda: Ray finds no GPU in the cluster; use cpu.")
    return min(1.0, gpus / processes)
