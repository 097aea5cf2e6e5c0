"""One worker: the process that hosts a group of actors, and its handle in the learner's process."""

# pyright: standard

import logging
import math
import time
from typing import Any, NamedTuple

import numpy as np
import ray
import torch

from agents.cluster.installation import differences, installation
from agents.cluster.nodes import this_node
from agents.impala.config import ImpalaConfig
from agents.impala.distributed.resources import Share, missing
from agents.impala.life_signs import LifeSigns, Sign
from agents.impala.workers import START_LIMIT, ActingGroup, UnrollRequest, UnrollResult

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


class Placed(NamedTuple):
    """Where a worker has started."""

    node: str
    """Ray's number of the node."""
    name: str
    """Of the node, for messages."""
    installation: dict[str, str]


class OtherInstallation(RuntimeError):
    """A worker has started on a node with other code or versions than the learner's."""

    def __init__(self, placed: Placed, different: str) -> None:
        super().__init__(f"{placed.name} is not used: {different}")
        self.node = placed.node


class _Worker:
    """A process that hosts a group of actors."""

    def __init__(self, config: ImpalaConfig, actors: range, attempt: int) -> None:
        torch.set_num_threads(1)
        self.config, self.actors, self.attempt = config, actors, attempt
        self.group: ActingGroup | None = None
        self.life = LifeSigns()

    def started(self) -> Placed:
        """Returns once the process runs, which needs a node with free resources."""
        node = ray.get_runtime_context().get_node_id()
        return Placed(node, this_node(), installation())

    def act(self, weights: np.ndarray, version: int, level_options: dict[str, Any]) -> UnrollResult:
        request = UnrollRequest(torch.as_tensor(weights.copy()), version, level_options)
        if self.group is None:
            self.group = ActingGroup(self.config, self.actors, request, self.attempt, self.life)
        return self.group.act(request)

    @ray.method(concurrency_group=_LIFE)
    def look(self) -> Sign:
        """What `act` is doing, from another thread."""
        return self.life.look()


class WorkerHandle:
    """Handle of one worker, which is restarted in a new process when it is lost.

    Args:
        place: Ray's scheduling strategy.
        expected: the installation of a joined cluster's nodes; None checks nothing.
        avoided: nodes that the worker must not start on.
    """

    def __init__(
        self,
        config: ImpalaConfig,
        actors: range,
        share: Share,
        place: Any,
        expected: dict[str, str] | None,
        avoided: set[str],
    ) -> None:
        self.config, self.actors, self.share, self.place = config, actors, share, place
        self.expected, self.avoided = expected, avoided
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

    def excuse(self, seconds: float) -> None:
        """Leave out a time in which this process did not run from the silence of the worker."""
        self.heard = min(time.monotonic(), self.heard + seconds)

    def look(self) -> None:
        """Ask a silent worker for a sign of life, or read its answer.

        Raises:
            RayError: it has ended.
        """
        if self._look is None:
            if self.silent > min(LOOK_SECONDS, self.config.worker_deadline / 4):
                self._look = self.worker.look.remote()
            return
        if not ray.wait([self._look], num_returns=1, timeout=0)[0]:
            return
        look, self._look = self._look, None
        self.sign = sign = ray.get(look)
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
            OtherInstallation: it must not be used.
        """
        if self.starting is None:
            return
        if ray.wait([self.starting], num_returns=1, timeout=0)[0]:
            ref, self.starting = self.starting, None
            placed = ray.get(ref)
            if self.expected and (different := differences(placed.installation, self.expected)):
                raise OtherInstallation(placed, different)
        elif time.monotonic() > self._named_from:
            self._named_from += PLACE_SECONDS
            if lacks := missing(self.share):
                self._named_from = math.inf
                _log.warning(
                    "The worker of actors %d to %d waits for a node: %s",
                    self.actors[0],
                    self.actors[-1],
                    lacks,
                )

    def _start(self) -> Any:
        remote: Any = ray.remote  # whose types leave out the groups
        worker = remote(concurrency_groups={_LIFE: 1})(_Worker).options(
            num_cpus=self.share.cpus,
            num_gpus=self.share.gpus,
            scheduling_strategy=self.place,
            label_selector=_all_but(self.avoided),
            # Ray's control process keeps some 3 kB of each unroll's events for ever.
            enable_task_events=False,
        )
        handle: Any = worker.remote(self.config, self.actors, self.attempt)
        self.starting: ray.ObjectRef[Any] | None = handle.started.remote()
        """Ready once the process runs; None from then on."""
        self._named_from = time.monotonic() + PLACE_SECONDS
        """Time from which what it lacks is printed, once."""
        return handle


def _first_line(cause: BaseException) -> str:
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]


def _all_but(nodes: set[str]) -> dict[str, str] | None:
    return {"ray.io/node-id": f"!in({','.join(sorted(nodes))})"} if nodes else None
