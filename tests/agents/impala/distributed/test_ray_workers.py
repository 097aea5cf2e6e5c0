"""Ray workers, without Ray: what they are asked for, and what happens when they are lost."""

import subprocess
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ray
import torch
from ray.exceptions import RayActorError, RayTaskError

from agents.cluster.installation import installation
from agents.cluster.ray_processes import has_ended
from agents.impala.config import ImpalaConfig
from agents.impala.distributed import ray_worker, ray_workers, resources
from agents.impala.distributed.ray_worker import MAX_LOSSES, Placed
from agents.impala.distributed.ray_workers import RayWorkers
from agents.impala.life_signs import Sign
from agents.impala.rollout import Unroll
from agents.impala.workers import START_LIMIT, UnrollRequest, UnrollResult, WorkersLost
from agents.runs.clock import Every
from envs.fault import EnvironmentFault
from memory import LSTMConfig
from tests.agents.impala.blocks import block

RESULT = UnrollResult(Unroll(block(range(2)), []), 0.1)


class FakeRay:
    """An object store and workers in this process; unrolls finish when a test says so."""

    ObjectRef = ray.ObjectRef

    def __init__(self) -> None:
        self.store: list[np.ndarray] = []
        self.attempts: list[int] = []
        """Of each worker that was started."""
        self.killed = 0
        self.offered: dict[str, float] = {}
        """By the node of the learner."""
        self.has_room = True
        """Whether a worker that starts finds a node."""
        self.unplaced: list[ray.ObjectRef] = []
        self.options: list[dict[str, Any]] = []
        self.in_flight: dict[ray.ObjectRef, tuple[Any, ...]] = {}
        """What each unroll in flight was requested with."""
        self.finished: dict[ray.ObjectRef, UnrollResult | Sign | Placed | BaseException] = {}
        self.elsewhere: set[ray.ObjectRef] = set()
        """Results that have not arrived from their node."""
        self.sign: Sign | RayActorError | None = None
        """The answer of a worker that is asked for a sign of life; None does not answer."""
        self.installation = installation()
        """Of the node on which the next worker starts."""

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 4.0}

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": "cafe", "Resources": self.offered}, {"NodeID": "beef", "Resources": {}}]

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_node_id=lambda: "cafe")

    def put(self, weights: np.ndarray) -> ray.ObjectRef:
        self.store.append(weights.copy())
        return ray.ObjectRef.from_random()

    def wait(self, refs, num_returns, timeout, fetch_local=True):
        away = self.elsewhere if fetch_local else set()
        return [ref for ref in refs if ref in self.finished and ref not in away], []

    def get(self, ref: ray.ObjectRef) -> UnrollResult | Sign | Placed:
        assert ref not in self.elsewhere, "the learner waits for a transfer"
        result = self.finished.pop(ref)
        if isinstance(result, BaseException):
            raise result
        return result

    def kill(self, worker: Any) -> None:
        self.killed += 1

    def remote(self, **_: Any) -> Any:
        return lambda cls: SimpleNamespace(options=self._with_options)

    def _with_options(self, **options: Any) -> Any:
        self.options.append(options)
        return SimpleNamespace(remote=self._start)

    def _start(self, config: ImpalaConfig, actors: range, attempt: int) -> Any:
        self.attempts.append(attempt)
        return SimpleNamespace(
            act=SimpleNamespace(remote=self._act),
            look=SimpleNamespace(remote=self._look),
            started=SimpleNamespace(remote=self._place),
        )

    def _look(self) -> ray.ObjectRef:
        ref = ray.ObjectRef.from_random()
        if self.sign:
            self.finished[ref] = self.sign
        return ref

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 0.0}

    def _place(self) -> ray.ObjectRef:
        ref = ray.ObjectRef.from_random()
        if self.has_room:
            self.finished[ref] = Placed("beef", "node 10.0.0.7 (beef)", self.installation)
        else:
            self.unplaced.append(ref)
        return ref

    def _act(self, *request: Any) -> ray.ObjectRef:
        ref = ray.ObjectRef.from_random()
        self.in_flight[ref] = request
        return ref

    def finish(self, result: UnrollResult | BaseException = RESULT) -> None:
        """All unrolls in flight end with a result or an error."""
        self.finished |= dict.fromkeys(self.in_flight, result)
        self.in_flight.clear()


class Source:
    """The learner's side: the request for the next unroll."""

    def __init__(self) -> None:
        self.version = 0
        self.level_options: dict[str, Any] = {}

    def __call__(self) -> UnrollRequest:
        return UnrollRequest(
            torch.full((3,), float(self.version)), self.version, self.level_options
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    for module in (ray_worker, ray_workers, resources):
        monkeypatch.setattr(module, "ray", fake)
    return fake


def start(source: Source | None = None, workers: int = 1, **fields: Any) -> RayWorkers:
    """Workers of two actors each."""
    config = ImpalaConfig(core=LSTMConfig(), actors=2 * workers, workers=workers, **fields)
    return RayWorkers(config, source or Source())


def start_acting(fake: FakeRay, **fields: Any) -> RayWorkers:
    """Workers that have delivered an unroll; one more is requested."""
    workers = start(**fields)
    workers.gather(room=2, wait=False)
    fake.finish()
    workers.gather(room=0, wait=False)
    workers.gather(room=2, wait=False)
    return workers


def test_a_process_of_ray_that_has_ended_ends_the_run(fake, monkeypatch) -> None:
    with subprocess.Popen(["sleep", "60"]) as daemon:
        monkeypatch.setattr(ray_workers, "daemons", lambda: {"raylet": daemon.pid})
        workers = start()
        workers._daemons_due = Every(0.0)
        workers.gather(room=2, wait=False)
        daemon.kill()
        while not has_ended(daemon.pid):
            time.sleep(0.01)
        with pytest.raises(WorkersLost, match="raylet, a process of Ray that the run depends on"):
            workers.gather(room=2, wait=False)


def test_weights_are_published_once_per_version(fake) -> None:
    source = Source()
    workers = start(source, workers=2)
    workers.gather(room=8, wait=False)
    assert len(fake.in_flight) == 4 and len(fake.store) == 1
    source.version = 3
    fake.finish()
    workers.gather(room=8, wait=False)
    workers.gather(room=8, wait=False)
    assert [weights.tolist() for weights in fake.store] == [[0.0] * 3, [3.0] * 3]
    assert {version for _, version, _ in fake.in_flight.values()} == {3}


def test_level_options_are_sent_to_the_workers(fake) -> None:
    source = Source()
    source.level_options = {"solution_length": (1,)}
    start(source).gather(room=2, wait=False)
    assert [options for *_, options in fake.in_flight.values()] == [{"solution_length": (1,)}]


@pytest.mark.parametrize(("room", "unrolls"), [(0, 0), (1, 0), (2, 1), (5, 2), (100, 4)])
def test_no_unroll_is_requested_beyond_the_room(room, unrolls, fake) -> None:
    workers = start(workers=2)
    for _ in range(3):
        workers.gather(room=room, wait=False)
    assert len(fake.in_flight) == unrolls


def test_finished_unrolls_are_returned_once(fake) -> None:
    workers = start(workers=2)
    assert workers.gather(room=4, wait=False) == []
    fake.finish()
    assert len(workers.gather(room=0, wait=True)) == 2
    assert workers.gather(room=0, wait=False) == []


def test_unrolls_on_other_nodes_are_received_once_they_have_arrived(fake) -> None:
    workers = start(workers=2)
    workers.gather(room=4, wait=False)
    fake.elsewhere.add(next(iter(fake.in_flight)))
    fake.finish()
    assert len(workers.gather(room=0, wait=True)) == 1
    fake.elsewhere.clear()
    assert len(workers.gather(room=0, wait=True)) == 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(ray_worker.time, "monotonic", lambda: clock.now)
    return clock


def watch(workers: RayWorkers, clock: SimpleNamespace, until: float) -> None:
    """Gather once a second until a time."""
    while clock.now < until:
        clock.now = min(until, clock.now + 1.0)
        workers.gather(room=0, wait=False)


def test_a_worker_without_an_unroll_for_too_long_is_restarted_and_why_is_printed(
    fake, clock, caplog
) -> None:
    workers = start_acting(fake, worker_deadline=7.5)
    watch(workers, clock, 7.5)
    assert workers.num_restarts == 0
    watch(workers, clock, 7.6)
    assert workers.num_restarts == 1 and fake.killed == 1
    assert "actors 0 to 1 is replaced: no step for 7.5 seconds, its --worker-" in caplog.text


def test_the_first_step_of_a_worker_has_more_time(fake, clock) -> None:
    workers = start(worker_deadline=7.5)
    workers.gather(room=2, wait=False)
    for until, restarts in ((START_LIMIT, 0), (START_LIMIT + 0.1, 1)):
        watch(workers, clock, until)
        assert workers.num_restarts == restarts


def test_a_slow_worker_that_steps_is_kept_and_one_that_hangs_is_replaced(
    fake, clock, caplog
) -> None:
    workers = start_acting(fake, worker_deadline=10.0)
    for now in range(0, 100, 4):  # an unroll of 100 s, with steps of 8 s
        clock.now = float(now)
        fake.sign = Sign(now % 8, now // 8, "step (emulator.py:7)")
        workers.gather(room=0, wait=False)
    assert workers.num_restarts == 0
    assert "actor 0 on: step 12 of its unroll takes 4 s, in step (" in workers.waits_for()
    for clock.now in map(float, range(100, 120, 4)):
        fake.sign = Sign(clock.now - 96.0, 12, "step (emulator.py:7)")
        workers.gather(room=0, wait=False)
    assert workers.num_restarts == 1 and "in step (emulator.py:7)" in caplog.text


def hang_and_deliver(workers: RayWorkers, fake: FakeRay, clock: Any, seconds: float) -> None:
    """Silence of 11 seconds, and then an unroll that took some."""
    watch(workers, clock, clock.now + 11.0)
    workers.gather(room=2, wait=False)
    fake.finish(RESULT._replace(seconds=seconds))
    workers.gather(room=0, wait=False)
    workers.gather(room=2, wait=False)


def test_an_environment_that_hangs_again_and_again_ends_the_run(fake, clock) -> None:
    """Although each worker delivers before it hangs."""
    workers = start_acting(fake, worker_deadline=10.0)
    with pytest.raises(WorkersLost, match=f"lost {MAX_LOSSES + 1} times in a row. First cause: no"):
        for _ in range(2 * MAX_LOSSES):
            hang_and_deliver(workers, fake, clock, seconds=1.0)


def test_losses_are_forgotten_once_the_worker_has_acted_as_long_as_it_was_silent(
    fake, clock
) -> None:
    workers = start_acting(fake, worker_deadline=10.0)
    for _ in range(2 * MAX_LOSSES):
        hang_and_deliver(workers, fake, clock, seconds=12.0)
    assert workers.num_restarts == 2 * MAX_LOSSES


def test_the_deadline_counts_from_the_last_unroll_not_from_the_request(fake, clock) -> None:
    workers = start_acting(fake, worker_deadline=10.0)
    workers.gather(room=4, wait=False)  # two unrolls of one worker, which takes 8 s for each
    first = next(iter(fake.in_flight))
    fake.in_flight.pop(first)
    watch(workers, clock, 8.0)
    fake.finished[first] = RESULT
    assert len(workers.gather(room=0, wait=False)) == 1
    watch(workers, clock, 16.0)
    assert workers.num_restarts == 0
    watch(workers, clock, 18.1)
    assert workers.num_restarts == 1


def test_a_worker_that_idled_has_the_whole_deadline_for_its_next_unroll(fake, clock) -> None:
    workers = start_acting(fake, worker_deadline=10.0)
    fake.finish()
    workers.gather(room=0, wait=False)
    watch(workers, clock, 100.0)
    workers.gather(room=2, wait=False)
    watch(workers, clock, 109.0)
    assert workers.num_restarts == 0


def test_a_run_that_was_stopped_and_continued_keeps_its_workers(fake, clock) -> None:
    """As by Ctrl-Z and `fg`; a worker that then is silent is replaced."""
    workers = start_acting(fake, worker_deadline=10.0)
    watch(workers, clock, 3.0)
    clock.now += 60.0
    watch(workers, clock, 71.0)  # 3 s before and 7 s since
    assert workers.num_restarts == 0
    watch(workers, clock, 71.1)
    assert workers.num_restarts == 1


def test_a_worker_that_hangs_is_replaced_however_short_the_deadline(
    fake, clock, monkeypatch
) -> None:
    """The learner waits a second at a time."""
    workers = start_acting(fake, worker_deadline=1.0)

    def wait(refs, num_returns, timeout, fetch_local=True):
        clock.now += timeout
        return [], []

    monkeypatch.setattr(fake, "wait", wait)
    for _ in range(3):
        workers.gather(room=0, wait=True)
    assert workers.num_restarts == 1


def test_a_worker_that_has_ended_without_a_word_of_its_unroll_is_replaced(fake, clock) -> None:
    """As when its node is lost while the unroll is transferred."""
    workers = start_acting(fake, worker_deadline=60.0)
    fake.sign = RayActorError()
    watch(workers, clock, 8.0)
    assert workers.num_restarts == 1


def test_workers_do_not_let_ray_keep_an_event_of_each_unroll(fake) -> None:
    start()
    assert fake.options[0]["enable_task_events"] is False


def test_each_restart_of_a_worker_has_the_next_attempt(fake) -> None:
    workers = start()
    for _ in range(3):
        workers.gather(room=2, wait=False)
        fake.finish(RayActorError())
        workers.gather(room=0, wait=False)
    assert fake.attempts == [0, 1, 2, 3] and workers.num_restarts == 3


def lose(workers: RayWorkers, fake: FakeRay, times: int) -> None:
    for _ in range(times):
        workers.gather(room=2, wait=False)
        fake.finish(RayActorError())
        workers.gather(room=0, wait=False)


def test_a_worker_that_is_lost_too_often_in_a_row_ends_the_run(fake) -> None:
    workers = start()
    lose(workers, fake, MAX_LOSSES)
    workers.gather(room=2, wait=False)
    fake.finish()
    assert len(workers.gather(room=0, wait=False)) == 1
    lose(workers, fake, MAX_LOSSES)
    with pytest.raises(WorkersLost, match=f"actors 0 to 1 was lost {MAX_LOSSES + 1} times in a"):
        lose(workers, fake, 1)


@pytest.mark.parametrize("on_env_error", ["stop", "restart"])
def test_a_fault_of_an_environment_ends_the_run_or_restarts_its_worker(on_env_error, fake) -> None:
    workers = start(on_env_error=on_env_error)
    workers.gather(room=2, wait=False)
    fault = EnvironmentFault(0, "the joystick is broken")
    fake.finish(RayTaskError("act", "", fault))
    if on_env_error == "stop":
        with pytest.raises(EnvironmentFault, match="joystick"):
            workers.gather(room=0, wait=False)
    else:
        assert workers.gather(room=0, wait=False) == [] and fake.attempts == [0, 1]


def test_a_worker_without_a_node_holds_no_room_and_is_not_lost(fake, clock, caplog) -> None:
    workers = start(workers=2, worker_deadline=5.0)
    workers.gather(room=8, wait=False)
    fake.has_room = False
    first, *_ = fake.in_flight
    fake.in_flight.pop(first)
    fake.finished[first] = RayActorError()
    workers.gather(room=0, wait=False)
    assert workers.num_restarts == 1 and len(fake.unplaced) == 1
    fake.finish()
    workers.gather(room=0, wait=False)
    for clock.now in map(float, range(20, 200, 20)):
        workers.gather(room=4, wait=False)
        assert len(fake.in_flight) == 2  # the whole room belongs to the worker that has a node
        fake.finish()
        assert len(workers.gather(room=0, wait=False)) == 2
    assert workers.num_restarts == 1
    text = "waits for a node: it needs 1 CPU, the cluster has 4, of which 0 are free"
    assert caplog.text.count(text) == 1


def test_a_worker_that_finds_a_node_again_delivers(fake) -> None:
    fake.has_room = False
    workers = start()
    assert workers.gather(room=4, wait=True) == [] and not fake.in_flight
    fake.finished[fake.unplaced[0]] = Placed("beef", "node", fake.installation)
    workers.gather(room=4, wait=False)
    assert len(fake.in_flight) == 2


def test_a_worker_may_be_lost_any_number_of_times_while_another_delivers(fake, clock) -> None:
    workers = start(workers=2)
    for clock.now in map(float, range(3 * MAX_LOSSES)):
        workers.gather(room=4, wait=False)
        lost, healthy = fake.in_flight
        fake.finished |= {lost: RayActorError(), healthy: RESULT}
        fake.in_flight.clear()
        assert len(workers.gather(room=0, wait=False)) == 1
    assert workers.num_restarts == 3 * MAX_LOSSES


def test_workers_reserve_whole_cpus_in_a_cluster_and_fit_onto_each_gpu(fake, monkeypatch) -> None:
    start(workers=8, ray_address="10.0.0.1:6379")
    assert {options["num_cpus"] for options in fake.options} == {1.0}
    monkeypatch.setattr(fake, "cluster_resources", lambda: {"CPU": 4.0, "GPU": 2.0})
    config = ImpalaConfig(core=LSTMConfig(), acting_device="cuda")
    shares = [resources.gpus_per_worker(config, processes) for processes in (1, 3, 4)]
    assert shares == [1.0, 0.5, 0.5]


def test_a_node_with_other_sources_that_joins_later_is_named_and_avoided(fake, caplog) -> None:
    workers = start(workers=2, ray_address="10.0.0.1:6379")
    workers.gather(room=8, wait=False)
    assert len(fake.in_flight) == 4
    fake.finish(RayActorError())
    fake.installation = {**installation(), "sources": "older"}
    workers.gather(room=0, wait=False)
    fake.installation = installation()
    workers.gather(room=8, wait=False)
    ours = installation()["sources"]
    text = f"node 10.0.0.7 (beef) is not used: sources older (here {ours})"
    assert caplog.text.count(text) == 2 and not fake.in_flight
    assert fake.options[-1]["label_selector"] == {"ray.io/node-id": "!in(beef)"}
    assert workers.num_restarts == 2, "only those that were lost"
    workers.gather(room=8, wait=False)
    assert len(fake.in_flight) == 4


@pytest.mark.parametrize(
    ("offered", "threads", "cluster", "reserved"),
    [
        (4.0, "auto", 8.0, 1),
        (4.0, 3, 8.0, 3),
        (4.0, 6, 8.0, 4),
        (0.0, 2, 8.0, None),  # a head node on which nothing else runs
        (1.0, 1, 1.0, None),  # the only CPU is a worker's
    ],
)
def test_the_learner_reserves_its_cpus_on_its_node(
    offered: float,
    threads: Any,
    cluster: float,
    reserved: int | None,
    fake,
    monkeypatch: pytest.MonkeyPatch,
    caplog,
) -> None:
    groups: list[Any] = []

    def group(bundles: Any, bundle_label_selector: Any) -> Any:
        groups.append((bundles, bundle_label_selector))
        return SimpleNamespace(wait=lambda seconds: False)

    monkeypatch.setattr(resources, "placement_group", group)
    monkeypatch.setattr(fake, "cluster_resources", lambda: {"CPU": cluster})
    fake.offered = {"CPU": offered} if offered else {}
    start(learner_threads=threads)
    assert groups == []
    start(learner_threads=threads, ray_address="10.0.0.1:6379")
    expected = [([{"CPU": reserved}], [{"ray.io/node-id": "cafe"}])] if reserved else []
    assert groups == expected
    assert ("CPUs of the learner's node are in use" in caplog.text) == bool(reserved)


def test_auto_workers_leave_the_learner_its_cpus(fake, monkeypatch) -> None:
    monkeypatch.setattr(fake, "cluster_resources", lambda: {"CPU": 8.0})
    cases: list[tuple[Any, int]] = [("auto", 7), (3, 5), (20, 1)]
    for threads, workers in cases:
        config = ImpalaConfig(
            core=LSTMConfig(), learner_threads=threads, ray_address="10.0.0.1:6379"
        )
        assert resources.num_workers(config) == workers
