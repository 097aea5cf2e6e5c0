"""Actors in the processes of a Ray cluster, for a learner in this process.

Source: Espeholt et al. 2018. Workers act without waiting for the learner, and the learner takes
the unrolls that are ready. The number of trajectories in between is bounded: a worker is asked for
another unroll only while there is room, and trajectories that are too old are dropped.
"""

# pyright: standard

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agents.cluster.installation import installation
from agents.cluster.ray_processes import daemons, has_ended
from agents.cluster.ray_session import leave_ray
from agents.impala.config import ImpalaConfig
from agents.impala.distributed.ray_worker import OtherInstallation, WorkerHandle
from agents.impala.distributed.resources import (
    Share,
    cpus_per_worker,
    gpus_per_worker,
    num_workers,
    reserve_for_learner,
)
from agents.impala.workers import UnrollRequest, UnrollResult, Workers, WorkersLost
from agents.runs.clock import Every
from envs.fault import EnvironmentFault

MAX_IN_FLIGHT = 2
"""Unrolls requested from a worker at a time, so that it does not wait for the learner."""
WAIT_SECONDS = 1.0
"""Seconds that the learner waits for unrolls at a time."""


class RayWorkers(Workers):
    """The run's actors, spread over the workers of a Ray that `connect_ray` has started.

    Args:
        next_request: returns the request for the next unroll; its weights are published once per
            learner update.
        actors: the numbers of the actors, by default from 0 on.
        learners: the number of learners in the cluster, each with as many workers.
    """

    def __init__(
        self,
        config: ImpalaConfig,
        next_request: Callable[[], UnrollRequest],
        actors: range | None = None,
        learners: int = 1,
    ) -> None:
        self.config, self.next_request, self.learners = config, next_request, learners
        self.num_restarts = 0
        self.num_processes = num_workers(config, learners)
        groups = np.array_split(actors or np.arange(config.actors), self.num_processes)
        share = Share(
            cpus_per_worker(config, self.num_processes, learners),
            gpus_per_worker(config, self.num_processes * learners),
        )
        expected = installation() if config.ray_address else None
        self._avoided: set[str] = set()
        """Nodes with other code or versions, which joined the cluster later."""
        if config.ray_address and learners == 1:
            reserve_for_learner(config)
        place: Any = "SPREAD"
        if learners > 1:  # trajectories stay on the node that learns from them, if it has room
            here = ray.get_runtime_context().get_node_id()
            place = NodeAffinitySchedulingStrategy(here, soft=True, _spill_on_unavailable=True)
        self._hosts = [
            WorkerHandle(
                config,
                range(int(group[0]), int(group[-1]) + 1),
                share,
                place,
                expected,
                self._avoided,
            )
            for group in groups
        ]
        self._published: tuple[int, ray.ObjectRef[Any]] | None = None
        self._daemons = {} if config.ray_address else daemons()  # of a cluster, none is ours
        self._daemons_due = Every(1.0)
        self._watched = time.monotonic()
        """Time of the last look at the silence of workers."""

    def gather(self, room: int, wait: bool) -> list[UnrollResult]:
        """Request unrolls while there is room; return those that have arrived.

        Raises:
            EnvironmentFault: an environment failed and `on_env_error` is `stop`.
            WorkersLost: a worker was lost too often in a row, or one of Ray's own processes.
        """
        if self._daemons_due.due():
            self._check_daemons()
        for host in self._hosts:
            self._check_started(host)
        self._request(room)
        in_flight = {ref: host for host in self._hosts for ref in host.in_flight}
        if not in_flight:
            starting = [host.starting for host in self._hosts if host.starting is not None]
            if wait and starting:
                ray.wait(starting, num_returns=1, timeout=WAIT_SECONDS)
            return []
        refs = list(in_flight)
        # Unrolls on other nodes are transferred while the learner learns. With `fetch_local=False`
        # they count as ready before, and half of the calls of `ray.get` then took a second.
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        began = time.monotonic()
        if wait and not ready:
            ready, _ = ray.wait(refs, num_returns=1, timeout=WAIT_SECONDS)
        absence = self._absence(min(time.monotonic() - began, WAIT_SECONDS))
        results = [self._receive(in_flight[ref], ref) for ref in ready]
        for host in self._hosts:
            host.excuse(absence)
            try:
                host.look()
            except RayError as error:
                self._restart(host, error)
            if host.silent > host.limit:
                doing = f": {host.sign}" if host.sign else ""
                silence = f"no step for {host.limit:g} seconds, its --worker-deadline{doing}"
                self._restart(host, TimeoutError(silence))
        return [result for result in results if result is not None]

    def waits_for(self) -> str:
        """The worker that has been silent for longest."""
        host = max(self._hosts, key=lambda host: host.silent)
        doing = host.sign or "it starts"
        return f"{len(self._hosts)} workers; the slowest, of actor {host.actors[0]} on: {doing}"

    def close(self) -> None:
        """Stop the workers; a single learner also leaves Ray."""
        if self.learners == 1:
            leave_ray()
        else:
            for host in self._hosts:
                ray.kill(host.worker)

    def _absence(self, waited: float) -> float:
        """Seconds since the last look beside those of waiting, if they are many, else 0.

        This process was stopped and continued, and workers with it, or it did something else for
        long, such as an evaluation, and what they have delivered has not arrived yet.
        """
        now = time.monotonic()
        seconds, self._watched = now - self._watched - waited, now
        return seconds if seconds > self.config.worker_deadline / 2 else 0.0

    def _check_daemons(self) -> None:
        """Ray ends this process a minute after its own, without a checkpoint."""
        for name, number in self._daemons.items():
            if has_ended(number):
                raise WorkersLost(f"{name}, a process of Ray that the run depends on, has ended.")

    def _request(self, room: int) -> None:
        """Request unrolls from the least busy workers first."""
        requested = sum(len(host.actors) * len(host.in_flight) for host in self._hosts)
        for depth in range(MAX_IN_FLIGHT):
            for host in self._hosts:
                has_room = requested + len(host.actors) <= room
                if host.starting is None and len(host.in_flight) == depth and has_room:
                    host.request(*self._publish())
                    requested += len(host.actors)

    def _publish(self) -> tuple[ray.ObjectRef[Any], UnrollRequest]:
        """The next request, its weights in the object store; they are put there once a version."""
        request = self.next_request()
        if self._published is None or self._published[0] != request.version:
            self._published = (request.version, ray.put(request.weights.numpy()))
        return self._published[1], request

    def _receive(self, host: WorkerHandle, ref: ray.ObjectRef[Any]) -> UnrollResult | None:
        """The result, or None if the worker was lost."""
        if ref not in host.in_flight:  # dropped when its worker was restarted
            return None
        try:
            return host.receive(ref)
        except RayTaskError as error:
            if not isinstance(error.cause, EnvironmentFault):
                raise
            if self.config.on_env_error == "stop":
                raise error.cause from None
            self._restart(host, error.cause)
        except RayError as error:
            self._restart(host, error)
        return None

    def _check_started(self, host: WorkerHandle) -> None:
        try:
            host.check_started()
        except OtherInstallation as error:
            self._avoided.add(error.node)
            host.restart(error)
        except RayError as error:
            self._restart(host, error)

    def _restart(self, host: WorkerHandle, cause: BaseException) -> None:
        """Replace a worker, unless it was lost too often while no other worker delivered."""
        host.lose(cause)
        others = (other.delivered for other in self._hosts if other is not host)
        delivers = any(time > host.lost_since for time in others)
        is_its_own = isinstance(cause, EnvironmentFault | TimeoutError)
        if host.is_lost_too_often and (is_its_own or not delivers):
            raise WorkersLost(
                f"The worker of actors {host.actors[0]} to {host.actors[-1]} was lost "
                f"{len(host.losses)} times in a row. First cause: {host.losses[0]}"
            ) from host.losses[0]
        host.restart(cause)
        self.num_restarts += 1
