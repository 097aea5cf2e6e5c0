"""A training run: collects unrolls, updates the weights, writes metrics, checkpoints and videos."""

# pyright: standard

from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from agents.impala.agreement import FAULTS, Agreement, Fault, OtherLearnerFailed
from agents.impala.config import ImpalaConfig
from agents.impala.distributed.collector import Collector
from agents.impala.evaluations import Evaluate, Evaluations
from agents.impala.learning.learner import Learner, NotFinite
from agents.impala.level_curriculum import LevelCurriculum
from agents.impala.local_workers import LocalWorkers
from agents.impala.saving.rollback import Rollback
from agents.impala.saving.run_checkpoints import RunCheckpoints
from agents.impala.saving.run_state import RunState
from agents.impala.speed import SpeedMeter
from agents.impala.status import Status, condition, progress
from agents.impala.trajectory_queue import max_queued
from agents.impala.workers import UnrollRequest, UnrollResult, Workers
from agents.networks.policy import Policy
from agents.runs.checkpoint import Checkpoint
from agents.runs.clock import Every
from agents.runs.monitor import Monitor
from agents.runs.run import Run
from agents.runs.side_work import SideWork
from agents.runs.stop_signal import StopFile, StopSignal
from agents.runs.weights import flatten

NOTICE_SECONDS = 20.0
"""Seconds without an update after which the screen says why."""

MakeWorkers = Callable[[ImpalaConfig, Callable[[], UnrollRequest]], Workers]
RecordVideo = Callable[[Policy, ImpalaConfig, int, Path], str]
"""Takes a policy, the run's configuration, a seed and a file; returns a message for the monitor."""


class Training:
    """A learner's process of a run.

    Of several learners only the first, of rank 0, writes the run folder and reports; it decides for
    all when to report and which levels are used.

    Args:
        config: with one learner's share of actors, workers and batch.
        learner: from `build_learner`, with the weights to start or resume with.
        open_run: creates or resumes the run folder, once all else has been built; not called
            except by the first learner.
        make_workers: takes the configuration and a function that returns the next request.
        record_video: records the videos of `--video-every`.
        evaluate: plays the levels of `--evaluate-every`.
        checkpoint: to resume from; None starts a new run.
        checkpoints: folder of the run's checkpoints, for other learners than the first.
    """

    def __init__(
        self,
        config: ImpalaConfig,
        learner: Learner,
        open_run: Callable[[], Run],
        make_workers: MakeWorkers,
        record_video: RecordVideo,
        evaluate: Evaluate,
        checkpoint: Checkpoint | None = None,
        checkpoints: Path | None = None,
    ) -> None:
        self.config, self.record_video = config, record_video
        self.learner, self.group = learner, learner.group
        self.leads = self.group.rank == 0
        self._fault: Fault | None = None
        self.curriculum = LevelCurriculum(config.env.stages, config.grow_levels)
        self.state = RunState(learner, self.curriculum)
        self.queue, self.episodes = self.state.queue, self.state.episodes
        self._published: tuple[int, Tensor] | None = None
        self.state.restore_learner(checkpoint)
        self.workers = make_workers(config, self._next_request)
        try:
            self.state.restore_actors(checkpoint, self.workers)
            self._run = open_run() if self.leads else None
        except BaseException:
            self.workers.close()
            raise
        saved = checkpoint.state if checkpoint else {}
        if self.leads:
            self.queue.dropped = saved.get("dropped", 0)
            self.workers.num_restarts = saved.get("restarts", 0)
        counts = self.queue.dropped, self.workers.num_restarts
        self.collector = Collector(self.group, self.episodes, *counts)
        self.side_work = SideWork()
        self.speed = SpeedMeter(
            learner.frames, saved.get("seconds", 0.0), saved.get("cpu_seconds", 0.0)
        )
        self.evaluations = self._run and Evaluations(
            config, self._run, evaluate, learner.frames, self.speed.clock
        )
        self.monitor = Monitor(config.frames, learner.frames, quiet=config.quiet)
        self.rollback = Rollback(
            learner,
            self.queue,
            self._run,
            self._run.checkpoints if self._run else checkpoints,
            self.monitor,
            self.side_work,
            saved.get("refused", 0),
        )
        self._checkpoints = self._run and RunCheckpoints(
            config,
            self._run,
            self.state,
            self._get_state,
            self.monitor,
            self.side_work,
            is_new=checkpoint is None,
        )
        self._log_due = Every(config.log_seconds)
        self._notice_due = Every(NOTICE_SECONDS)
        self._video_due = Every(config.video_minutes and 60 * config.video_minutes)

    @property
    def run(self) -> Run:
        """The run folder, of the first learner."""
        assert self._run is not None
        return self._run

    @property
    def checkpoints(self) -> RunCheckpoints:
        """Those of the first learner."""
        assert self._checkpoints is not None
        return self._checkpoints

    def train(self, stop: StopSignal | StopFile | None = None) -> None:
        """Train until the last frame or a stop request; writes a checkpoint in both cases.

        Args:
            stop: an entered one; by default signals count from here on.

        Raises:
            NotFinite: the loss or gradient stays not finite; no checkpoint is written.
            CheckpointError: the last checkpoint could not be written.
            OtherLearnerFailed: another learner's workers ended the run, after a checkpoint.
            Exception: any other error that ended the run, after a checkpoint.
        """
        with nullcontext(stop) if stop else StopSignal() as stop, self.monitor:
            try:
                agreed = self._agree(stop)
                while not (agreed.stop or self._has_ended()):
                    self._gather()
                    agreed = self._agree(stop)
                    if not agreed.waits and not agreed.stop:
                        self._learn()
                    self._run_periodic_tasks(agreed)
                self._finish_unroll()
                self._report()
                if self.evaluations and self.learner.frames >= self.config.frames:
                    self.evaluations.test(self.learner.policy, self.learner.frames)
            except NotFinite:
                raise
            except Exception:
                if self.leads:
                    with suppress(NotFinite):
                        self.learner.read()
                    self.checkpoints.start()
                    self.run.writer.wait()
                raise
            else:
                if self.leads:
                    self.checkpoints.save()
            finally:
                self.close()

    def close(self) -> None:
        """Stop the workers, and release the run folder."""
        self.workers.close()
        if self._run:
            self._run.close()

    def _has_ended(self) -> bool:
        """Whether the last frame is reached; updates that were refused do not count."""
        if self.learner.frames >= self.config.frames:
            self.rollback.read()
        return self.learner.frames >= self.config.frames

    def _agree(self, stop: StopSignal | StopFile) -> Agreement:
        """Exchange what decides the next step of all learners.

        Raises:
            EnvironmentFault, EnvironmentHangs, WorkersLost: of this learner's workers.
            OtherLearnerFailed: of another's.
        """
        waits = len(self.queue) < self.config.batch
        own = Agreement(
            waits=waits,
            stop=stop.requested,
            fault=1 + FAULTS.index(type(self._fault)) if self._fault else 0,
            report=self.leads and self._log_due.due(),
            checkpoint=self.leads and not waits and self.checkpoints.due(),
            stage=self.curriculum.stage if self.leads else 0,
        )
        agreed = Agreement(*self.group.largest([float(value) for value in own]))
        if self._fault is not None:
            raise self._fault
        if agreed.fault:
            raise OtherLearnerFailed(FAULTS[int(agreed.fault) - 1])
        self.curriculum.stage = int(agreed.stage)
        return agreed

    def _gather(self) -> None:
        """Queue what the workers have finished; waits only if the learner needs a batch."""
        needs_batch = len(self.queue) < self.config.batch
        room = max_queued(self.config, self.workers.num_processes) - len(self.queue)
        with self.speed.clock.measure("gathering"):
            try:
                results = self.workers.gather(room, wait=needs_batch)
            except FAULTS as fault:
                self._fault = fault
                return
        for result in results:
            self._receive(result)
        oldest = self.learner.updates - self.config.max_lag
        self.queue.drop_older(max(oldest, self.rollback.version or oldest))

    def _finish_unroll(self) -> None:
        """Queue the unroll in progress, so that a resumed run continues after it."""
        if isinstance(self.workers, LocalWorkers):
            for result in self.workers.finish():
                self._receive(result)

    def _receive(self, result: UnrollResult) -> None:
        self.queue.put(result.unroll.trajectory)
        self.speed.clock.add("acting", result.seconds)
        self.collector.add(result.unroll.episodes)
        if not self.leads:
            return
        stage = self.curriculum.stage
        self.curriculum.observe(episode.info for episode in result.unroll.episodes)
        if self.curriculum.stage != stage:
            self.episodes.restart(ignored=range(self.config.actors * self.group.size))

    def _learn(self) -> None:
        """Make one update."""
        batch = self.queue.take(self.config.batch)
        self._notice_due.restart()
        self.speed.record_lags((self.learner.updates - batch.version).tolist())
        with self.speed.clock.measure("learning"):
            self.rollback.learn(batch)

    def _next_request(self) -> UnrollRequest:
        """What actors act with now; the weights are flattened once per update."""
        version = self.learner.updates
        if self._published is None or self._published[0] != version:
            self._published = (version, flatten(self.learner.policy))
        return UnrollRequest(self._published[1], version, self.curriculum.options)

    def _run_periodic_tasks(self, agreed: Agreement) -> None:
        """Report, write a checkpoint or record a video, if due."""
        if agreed.report:
            self._report()
        if agreed.checkpoint:
            self.rollback.read()
        if not self.leads:
            return
        if self._notice_due.due():
            here = f"{len(self.queue)} of the {self.config.batch} trajectories of a batch are here"
            self.monitor.note(f"no update yet: {here}, waiting for {self.workers.waits_for()}")
        if self.evaluations and self.evaluations.due(self.learner.frames):
            message = self.evaluations.validate(self.learner.policy, self.learner.frames)
            self.monitor.note(message)
        if agreed.checkpoint:
            self.checkpoints.start()
        if self._video_due.due():
            self._record_video()
        self.checkpoints.start_milestone()

    def _report(self) -> None:
        """Log metrics, and show them; all learners call it, and the first one does it."""
        self._collect()
        losses = self.rollback.read()
        if not losses or not self.leads:
            return
        frames = self.learner.frames
        counts = self.collector.dropped, self.collector.restarts
        speed = self.speed.report(frames, self.workers, *counts)
        others = {
            "levels/stage": self.curriculum.stage,
            "side_work/failures": self._num_failures,
            "updates/refused": self.rollback.refused.total,
        }
        self.run.log(self.episodes.metrics() | losses | speed | others, frames)
        status = Status(
            frames=frames,
            frames_per_second=speed["speed/frames_per_second"],
            mean_return=self.episodes.mean_return,
            solved=self.episodes.solved_rate,
            policy_lag=speed["lag/mean"],
            learner=speed["speed/learner_utilisation"],
            actors=speed["speed/actor_utilisation"],
            restarts=self.collector.restarts,
            loss=losses["loss/total"],
        )
        self.monitor.update(frames, progress(status, self.config.frames), condition(status))

    def _collect(self) -> None:
        self.collector.collect(self.queue.dropped, self.workers.num_restarts)

    def _get_state(self) -> dict[str, Any]:
        if self.group.size == 1:
            self._collect()
        refused = self.rollback.refused.total
        return self.state.get(self.workers, self.speed.clock, self.collector, refused)

    @property
    def _num_failures(self) -> int:
        parts = (self.side_work, self.monitor.side_work, self.run)
        return sum(part.num_failures for part in parts)

    def _record_video(self) -> None:
        """Record a video of one episode with the current weights."""
        out = self.run.videos / f"{self.learner.frames:012d}.mp4"
        with self.side_work.attempt("video"):
            message = self.record_video(self.learner.policy, self.config, self.learner.frames, out)
            self.monitor.note(message)
            self.run.log_video(out, self.learner.frames)
