"""Actors in the processes of a Ray cluster, for a learner in this process.

Source: Espeholt et al. 2018. Workers act without waiting for the learner, and the learner takes
the unrolls that are ready. The number of trajectories in between is bounded: a worker is asked for
another unroll only while there is room, and trajectories that are too old are dropped.
"""

# pyright: standard

import logging
import math
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agents.cluster.ray_processes import daemons, has_ended
from agents.cluster.ray_session import leave_ray
from agents.impala.config import ImpalaConfig
from agents.impala.life_signs import LifeSigns, Sign
from agents.impala.workers import (
    START_LIMIT,
    ActingGroup,
    UnrollRequest,
    UnrollResult,
    Workers,
    WorkersLost,
)
from agents.runs.clock import Every
from envs.fault import EnvironmentFault

MAX_IN_FLIGHT = 2
"""Unrolls requested from a worker at a time, so that it does not wait for the learner."""
MAX_LOSSES = 10
"""Losses of one worker in a row after which the run ends, if no other worker delivers or if its
environments failed or hung. Unrolls end the row once they have taken as long as the worker was
silent."""
PLACE_SECONDS = 10.0
"""Seconds in which a worker is expected to start; then what it waits for is printed."""
LOOK_SECONDS = 5.0
"""Silence of a worker after which it is asked for a sign of life."""
_LIFE = "life"
"""Concurrency group of calls beside `act`."""
_log = logging.getLogger(__name__)


class _Worker:
    """A process that hosts a group of actors."""

    def __init__(self, config: ImpalaConfig, actors: range, attempt: int) -> None:
        torch.set_num_threads(1)
        self.config, self.actors, self.attempt = config, actors, attempt
        self.group: ActingGroup | None = None
        self.life = LifeSigns()

    def started(self) -> None:
        """Returns once the process runs, which needs a node with free resources."""

    def act(self, weights: np.ndarray, version: int, level_options: dict[str, Any]) -> UnrollResult:
        request = UnrollRequest(torch.as_tensor(weights.copy()), version, level_options)
        if self.group is None:
            self.group = ActingGroup(self.config, self.actors, request, self.attempt, self.life)
        return self.group.act(request)

    @ray.method(concurrency_group=_LIFE)
    def look(self) -> Sign:
        """What `act` is doing, from another thread."""
        return self.life.look()


class _Host:
    """Handle of one worker, which is restarted in a new process when it is lost."""

    def __init__(
        self, config: ImpalaConfig, actors: range, cpus: float, gpus: float, place: Any
    ) -> None:
        self.config, self.actors, self.cpus, self.gpus = config, actors, cpus, gpus
        self.place = place
        self.in_flight: dict[ray.ObjectRef[Any], float] = {}
        """Unrolls in flight, and the time of each request."""
        self.attempt = 0
        self.losses: list[BaseException] = []
        """Causes of the first losses since the last unroll."""
        self.lost_since = 0.0
        """Time of the first of them."""
        self.delivered = -math.inf
        """Time of the last unroll."""
        self.silence = 0.0
        """Seconds of silence that ended in losses, less those of the unrolls since."""
        self._begin()

    def request(self, weights: ray.ObjectRef[Any], request: UnrollRequest) -> None:
        """Request one more unroll."""
        ref = self.worker.act.remote(weights, request.version, request.level_options)
        self.in_flight[ref] = time.monotonic()

    def receive(self, ref: ray.ObjectRef[Any]) -> UnrollResult:
        """Return an unroll that is ready; raises the error of one that failed."""
        del self.in_flight[ref]
        result = ray.get(ref)
        self.heard = self.delivered = time.monotonic()
        self.has_stepped = True
        self.silence = max(0.0, self.silence - result.seconds)
        if not self.silence:
            self.losses.clear()
        return result

    @property
    def silent(self) -> float:
        """Seconds since the last sign of life, or since the oldest request if that is later."""
        if not self.in_flight:
            return 0.0
        return time.monotonic() - max(self.heard, min(self.in_flight.values()))

    @property
    def limit(self) -> float:
        """Seconds of silence after which it is replaced."""
        deadline = self.config.worker_deadline
        return deadline if self.has_stepped else max(START_LIMIT, deadline)

    def look(self) -> None:
        """Ask a silent worker for a sign of life, or read its answer."""
        if self._look is None:
            if self.silent > min(LOOK_SECONDS, self.config.worker_deadline / 4):
                self._look = self.worker.look.remote()
            return
        if not ray.wait([self._look], num_returns=1, timeout=0)[0]:
            return
        look, self._look = self._look, None
        try:
            self.sign = sign = ray.get(look)
        except RayError:  # its unroll has the same error
            return
        self.heard = max(self.heard, time.monotonic() - sign.silence)
        self.has_stepped |= sign.steps > 0

    @property
    def is_lost_too_often(self) -> bool:
        return len(self.losses) > MAX_LOSSES

    def lose(self, cause: BaseException) -> None:
        """Count a loss."""
        if not self.losses:
            self.lost_since = time.monotonic()
        if not self.is_lost_too_often:
            self.losses.append(cause)
        self.silence += self.silent

    def restart(self, cause: BaseException) -> None:
        """Start a new process in place of the worker; its requests are dropped."""
        _log.warning(
            "The worker of actors %d to %d is replaced: %s",
            self.actors[0],
            self.actors[-1],
            _first_line(cause),
        )
        ray.kill(self.worker)
        self.in_flight.clear()
        self.attempt += 1
        self._begin()

    def _begin(self) -> None:
        self.worker = self._start()
        self.heard = time.monotonic()
        """Time of the last sign of life, or of the start."""
        self.has_stepped = False
        self.sign: Sign | None = None
        """What it was doing when it was last asked."""
        self._look: ray.ObjectRef[Any] | None = None

    def check_started(self) -> None:
        """Notice that the process runs; prints once what it waits for.

        A worker without a node is asked for nothing, and is not lost: Ray starts it when a node
        has room.

        Raises:
            RayError: the process ended while it started.
        """
        if self.starting is None:
            return
        if ray.wait([self.starting], num_returns=1, timeout=0)[0]:
            ref, self.starting = self.starting, None
            ray.get(ref)
        elif not self.is_named and time.monotonic() - self.start_time > PLACE_SECONDS:
            self.is_named = True
            missing = _missing({"CPU": self.cpus, "GPU": self.gpus})
            if missing:
                _log.warning(
                    "The worker of actors %d to %d waits for a node: %s",
                    self.actors[0],
                    self.actors[-1],
                    missing,
                )

    def _start(self) -> Any:
        remote: Any = ray.remote  # whose types leave out the groups
        worker = remote(concurrency_groups={_LIFE: 1})(_Worker).options(
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            scheduling_strategy=self.place,
            # Ray's control process keeps some 3 kB of each unroll's events for ever.
            enable_task_events=False,
        )
        handle: Any = worker.remote(self.config, self.actors, self.attempt)
        self.starting: ray.ObjectRef[Any] | None = handle.started.remote()
        """Ready once the process runs; None from then on."""
        self.start_time, self.is_named = time.monotonic(), False
        return handle


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
        cpus = cpus_per_worker(config, self.num_processes, learners)
        groups = np.array_split(actors or np.arange(config.actors), self.num_processes)
        gpus = gpus_per_worker(config, self.num_processes * learners)
        place: Any = "SPREAD"
        if learners > 1:  # trajectories stay on the node that learns from them, if it has room
            here = ray.get_runtime_context().get_node_id()
            place = NodeAffinitySchedulingStrategy(here, soft=True)
        self._hosts = [
            _Host(config, range(int(group[0]), int(group[-1]) + 1), cpus, gpus, place)
            for group in groups
        ]
        self._published: tuple[int, ray.ObjectRef[Any]] | None = None
        self._daemons = {} if config.ray_address else daemons()  # of a cluster, none is ours
        self._daemons_due = Every(1.0)

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
                ray.wait(starting, num_returns=1, timeout=1.0)
            return []
        refs = list(in_flight)
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
        if wait and not ready:
            ready, _ = ray.wait(refs, num_returns=1, timeout=1.0)
        results = [self._receive(in_flight[ref], ref) for ref in ready]
        for host in self._hosts:
            host.look()
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

    def _receive(self, host: _Host, ref: ray.ObjectRef[Any]) -> UnrollResult | None:
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

    def _check_started(self, host: _Host) -> None:
        try:
            host.check_started()
        except RayError as error:
            self._restart(host, error)

    def _restart(self, host: _Host, cause: BaseException) -> None:
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


def _first_line(cause: BaseException) -> str:
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]


def _missing(asked: dict[str, float]) -> str:
    """The resources that the cluster has too few of, or none."""
    there, free = ray.cluster_resources(), ray.available_resources()
    return "; ".join(
        f"it needs {count:g} {kind}, the cluster has {there.get(kind, 0):g}, "
        f"of which {free.get(kind, 0):g} are free"
        for kind, count in asked.items()
        if free.get(kind, 0) < count
    )


def num_workers(config: ImpalaConfig, learners: int = 1) -> int:
    """Number of a learner's workers: `config.workers`, or with `auto` its share of the CPUs but
    one."""
    if config.workers != "auto":
        return config.workers
    cpus = int(ray.cluster_resources().get("CPU", os.cpu_count() or 1))
    return max(1, min(config.actors, cpus // learners - 1))


def cpus_per_worker(config: ImpalaConfig, processes: int, learners: int) -> float:
    """A whole CPU for each worker on a cluster that the run joined, where workers without one wait
    for it; on this machine, a CPU each if the learners leave so many, else none is reserved.

    Fractions of CPUs that fit into the cluster may not fit onto its nodes, and some workers would
    never start.
    """
    if config.ray_address:
        return 1.0
    threads = 1 if config.learner_threads == "auto" else config.learner_threads
    reserved = learners * threads if learners > 1 else 0  # a single learner is no task of Ray's
    free = ray.cluster_resources().get("CPU", 1.0) - reserved
    return 1.0 if free >= processes * learners else 0.0


def gpus_per_worker(config: ImpalaConfig, processes: int) -> float:
    """A worker's share of the cluster's GPUs, so that whole workers fit onto each GPU; 0 if actors
    compute on CPUs.

    Raises:
        ValueError: actors are to compute on GPUs and the cluster has none.
    """
    if config.acting_device == "cpu":
        return 0.0
    gpus = ray.cluster_resources().get("GPU", 0.0)
    if not gpus:
        raise ValueError("--acting-device cuda: Ray finds no GPU in the cluster; use cpu.")
    return 1.0 / math.ceil(processes / gpus)
