"""The source of unrolls that acts in this process."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from agents.impala.config import ImpalaConfig
from agents.impala.life_signs import LifeSigns
from agents.impala.workers import (
    START_LIMIT,
    ActingGroup,
    EnvironmentHangs,
    UnrollRequest,
    UnrollResult,
    Workers,
)

Result = TypeVar("Result")
LOOK_SECONDS = 1.0
"""Seconds that the learner waits at a time; in between it looks at signals and the clock."""
STOP_SECONDS = 5.0
"""Seconds that a run which is stopped waits for the unroll in progress."""


class LocalWorkers(Workers):
    """All actors in one thread of this process, which act only when the learner has no batch.

    Repeatable bit for bit: for debugging, tests and exact resume.

    Args:
        next_request: returns the request for the next unroll.
        actors: the numbers of the actors, by default from 0 on.

    Raises:
        EnvironmentHangs: the first reset takes too long.
    """

    num_processes = 1

    def __init__(
        self,
        config: ImpalaConfig,
        next_request: Callable[[], UnrollRequest],
        actors: range | None = None,
    ) -> None:
        self.num_restarts = 0
        self.next_request = next_request
        self._deadline = config.worker_deadline
        self._has_acted = False
        self._life = LifeSigns()
        self._thread = _Thread()
        self._pending: Future[UnrollResult] | None = None
        numbers, request = actors or range(config.actors), next_request()
        building = self._thread.call(lambda: ActingGroup(config, numbers, request, 0, self._life))
        while not self._is_done(building, LOOK_SECONDS):
            pass
        self.group = building.result()

    def gather(self, room: int, wait: bool) -> list[UnrollResult]:
        """Return one unroll of all actors if `wait`, else nothing; nothing also while they act.

        Raises:
            EnvironmentHangs: no step was finished for `config.worker_deadline` seconds.
        """
        if not wait:
            return []
        if self._pending is None:
            request = self.next_request()
            self._pending = self._thread.call(lambda: self.group.act(request))
        return self._finished(LOOK_SECONDS)

    def finish(self) -> list[UnrollResult]:
        """Return the unroll in progress, if there is one and it is finished soon."""
        return self._finished(STOP_SECONDS)

    def waits_for(self) -> str:
        """What the actors are doing."""
        return f"the environment: {self._life.look()}"

    def get_state(self) -> dict[str, Any] | None:
        """State of the actors and their episodes; None within an unroll, or if the environment has
        no `get_state`."""
        rollout = self.group.rollout
        if self._pending or not hasattr(rollout.env, "get_state"):
            return None
        return self._thread.call(rollout.get_state).result()

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `get_state`."""
        self._thread.call(lambda: self.group.rollout.set_state(state)).result()

    def close(self) -> None:
        """Close the environments, unless one hangs or is in a step."""
        if not self._pending:
            closing = self._thread.call(self.group.rollout.env.close)
            if wait([closing], STOP_SECONDS).done:
                closing.result()
        self._thread.end()

    def _finished(self, patience: float) -> list[UnrollResult]:
        """The unroll in progress if it is finished within a time."""
        if self._pending is None or not self._is_done(self._pending, patience):
            return []
        future, self._pending = self._pending, None
        self._has_acted = True
        return [future.result()]

    def _is_done(self, future: Future[Any], patience: float) -> bool:
        """Whether a call of the thread is done within a time.

        Raises:
            EnvironmentHangs: it takes longer than the deadline.
        """
        was_late = self._late()
        if wait([future], patience).done:
            return True
        late = self._late()
        if was_late and late:  # twice: after a process was stopped and continued, it is late once
            raise EnvironmentHangs(f"no step was finished for {late}")
        return False

    def _late(self) -> str:
        """The deadline and what the actors are doing, if they are silent for longer."""
        sign = self._life.look()
        has_stepped = self._has_acted or sign.steps > 0
        limit = self._deadline if has_stepped else max(START_LIMIT, self._deadline)
        return f"{limit:g} seconds, the --worker-deadline: {sign}" if sign.silence > limit else ""


class _Thread:
    """A thread that makes one call after another; a call that hangs does not keep the process."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        Thread(target=self._work, name="actors", daemon=True).start()

    def call(self, function: Callable[[], Result]) -> "Future[Result]":
        """Make a call; its result or error is in the future."""
        future: Future[Result] = Future()

        def fill() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(fill)
        return future

    def end(self) -> None:
        """End after the present call."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
