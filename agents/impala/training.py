"""A training run: collects unrolls, updates the weights, writes metrics, checkpoints and videos."""

# pyright: standard

from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.impala.agreement import FAULTS, Agreement, Fault, OtherLearnerFailed
from agents.impala.config import ImpalaConfig
from agents.impala.episodes import Episode, EpisodeWindow, from_rows, to_rows
from agents.impala.evaluations import Evaluate, Evaluations
from agents.impala.learning.learner import Learner, NotFinite
from agents.impala.level_curriculum import LevelCurriculum
from agents.impala.local_workers import LocalWorkers
from agents.impala.speed import SpeedMeter
from agents.impala.status import Status, condition, progress
from agents.impala.trajectory import Trajectory, from_leaves
from agents.impala.trajectory_queue import TrajectoryQueue, max_queued
from agents.impala.workers import (
    UnrollRequest,
    UnrollResult,
    Workers,
)
from agents.networks.policy import Policy
from agents.runs.checkpoint import Checkpoint, CheckpointError
from agents.runs.clock import Every
from agents.runs.messages import RECORD, command
from agents.runs.monitor import Monitor
from agents.runs.refused_updates import RefusedUpdates, rolled_back, save_batch, skipped
from agents.runs.run import Run
from agents.runs.saving.checkpoint_writer import Outcome
from agents.runs.saving.milestones import Milestones
from agents.runs.side_work import SideWork
from agents.runs.stop_signal import StopFile, StopSignal
from agents.runs.weights import flatten, load_weights
from memory.core import state_leaves

NOTICE_SECONDS = 20.0
"""Seconds without an update after which the screen says why."""
MIN_EPISODES_FOR_BEST = 100
"""Episodes before a mean return can make a checkpoint the best."""

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
        self.queue = TrajectoryQueue()
        self.episodes = EpisodeWindow()
        self._unsent: list[Episode] = []
        """Episodes that the first learner does not have yet."""
        self._fault: Fault | None = None
        self.curriculum = LevelCurriculum(config.env.stages, config.grow_levels)
        self._published: tuple[int, Tensor] | None = None
        self._best_return: float | None = None
        self._restore_learner(checkpoint)
        self.workers = make_workers(config, self._next_request)
        try:
            self._restore_actors(checkpoint)
            self._run = open_run() if self.leads else None
        except BaseException:
            self.workers.close()
            raise
        self._checkpoints = self._run.checkpoints if self._run else checkpoints
        state = checkpoint.state if checkpoint else {}
        self.refused = RefusedUpdates(self.group, state.get("refused", 0))
        self._oldest_version = -config.max_lag
        """Of weights whose trajectories are learned from."""
        if self.leads:
            self.queue.dropped = state.get("dropped", 0)
            self.workers.num_restarts = state.get("restarts", 0)
        self._dropped, self._restarts = self.queue.dropped, self.workers.num_restarts
        """Of all learners."""
        self.side_work = SideWork()
        self.speed = SpeedMeter(
            self.learner.frames, state.get("seconds", 0.0), state.get("cpu_seconds", 0.0)
        )
        self.evaluations = self._run and Evaluations(
            config, self._run, evaluate, self.learner.frames, self.speed.clock
        )
        self.monitor = Monitor(config.frames, self.learner.frames, quiet=config.quiet)
        self._log_due = Every(config.log_seconds)
        self._notice_due = Every(NOTICE_SECONDS)
        self._checkpoint_due = Every(60 * config.checkpoint_minutes, at_once=checkpoint is None)
        self._milestones = Milestones(config.frames, self.learner.frames)
        self._video_due = Every(config.video_minutes and 60 * config.video_minutes)

    @property
    def run(self) -> Run:
        """The run folder, of the first learner."""
        assert self._run is not None
        return self._run

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
                    self._checkpoint()
                    self.run.writer.wait()
                raise
            else:
                if self.leads:
                    self._save()
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
            self._read()
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
            checkpoint=self.leads and not waits and self._is_checkpoint_due(),
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
        self.queue.drop_older(max(oldest, self._oldest_version))

    def _finish_unroll(self) -> None:
        """Queue the unroll in progress, so that a resumed run continues after it."""
        if isinstance(self.workers, LocalWorkers):
            for result in self.workers.finish():
                self._receive(result)

    def _receive(self, result: UnrollResult) -> None:
        self.queue.put(result.unroll.trajectory)
        self.speed.clock.add("acting", result.seconds)
        if not self.leads:
            self._unsent += result.unroll.episodes
            return
        self.episodes.extend(result.unroll.episodes)
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
            try:
                self.learner.learn(batch)
                if self.refused.in_a_row:
                    self.learner.read()
            except NotFinite as error:
                self._refuse(error, batch)
            else:
                self.refused.in_a_row = 0

    def _read(self) -> dict[str, float]:
        """Metrics of the last update, once it is finished; refused updates are counted."""
        try:
            return self.learner.read()
        except NotFinite as error:
            self._refuse(error)
            return self.learner.read()

    def _refuse(self, error: NotFinite, batch: Trajectory | None = None) -> None:
        """Skip an update that was refused; after too many in a row, roll back.

        Args:
            batch: of the update, if it is known.

        Raises:
            NotFinite: it did not help the last time, or there is no checkpoint.
        """
        if self._run and batch is not None:
            with self.side_work.attempt("copy of the batch"):
                save_batch(self._run.folder, batch)
        is_first = not self.refused.in_a_row
        if self.refused.add():
            self._roll_back(error)
        elif self.leads and is_first:
            self.monitor.note(skipped(error))

    def _roll_back(self, error: NotFinite) -> None:
        """Continue with the weights and the optimiser of the newest checkpoint.

        Frames and updates still count up. The rollback counts as an update, so that actors get its
        weights, and trajectories of earlier weights are dropped.
        """
        if self._run:
            self._run.writer.wait()
        self.group.broadcast([0.0])  # the others wait until it is written
        assert self._checkpoints is not None
        checkpoint = self.refused.checkpoint(self._checkpoints)
        if checkpoint is None:
            raise error
        load_weights(self.learner.policy, checkpoint)
        counts = {"updates": self.learner.updates + 1, "frames": self.learner.frames}
        self.learner.set_state(checkpoint.state["learner"] | counts)
        self._oldest_version = self.learner.updates
        self.queue.drop_older(self._oldest_version)
        if self.leads:
            self.monitor.note(rolled_back(checkpoint))

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
            self._read()
        if not self.leads:
            return
        if self._notice_due.due():
            here = f"{len(self.queue)} of the {self.config.batch} trajectories of a batch are here"
            self.monitor.note(f"no update yet: {here}, waiting for {self.workers.waits_for()}")
        if self.evaluations and self.evaluations.due(self.learner.frames):
            message = self.evaluations.validate(self.learner.policy, self.learner.frames)
            self.monitor.note(message)
        if agreed.checkpoint:
            self._checkpoint()
        if self._video_due.due():
            self._record_video()
        if self._milestones.due(self.learner.frames):
            weights = self.learner.policy.state_dict()
            self.run.start_saving_milestone(self._end_milestone, self.learner.frames, weights)

    def _report(self) -> None:
        """Log metrics, and show them; all learners call it, and the first one does it."""
        self._collect()
        losses = self._read()
        if not losses or not self.leads:
            return
        frames = self.learner.frames
        speed = self.speed.report(frames, self.workers, self._dropped, self._restarts)
        counts = {
            "levels/stage": self.curriculum.stage,
            "side_work/failures": self._num_failures,
            "updates/refused": self.refused.total,
        }
        self.run.log(self.episodes.metrics() | losses | speed | counts, frames)
        status = Status(
            frames=frames,
            frames_per_second=speed["speed/frames_per_second"],
            mean_return=self.episodes.mean_return,
            solved=self.episodes.solved_rate,
            policy_lag=speed["lag/mean"],
            learner=speed["speed/learner_utilisation"],
            actors=speed["speed/actor_utilisation"],
            restarts=self._restarts,
            loss=losses["loss/total"],
        )
        self.monitor.update(frames, progress(status, self.config.frames), condition(status))

    def _collect(self) -> None:
        """Collect the episodes and the losses of all learners since the last report."""
        episodes = from_rows(self.group.gather_rows(to_rows(self._unsent)))
        counts = torch.tensor([[self.queue.dropped, self.workers.num_restarts]])
        self._unsent = []
        self._dropped, self._restarts = self.group.gather_rows(counts).sum(dim=0).tolist()
        if self.leads:
            self.episodes.extend(episodes)

    @property
    def _num_failures(self) -> int:
        parts = (self.side_work, self.monitor.side_work, self.run)
        return sum(part.num_failures for part in parts)

    def _is_checkpoint_due(self) -> bool:
        """Whether to write one now; it waits for the one before only without an interval."""
        waits = self.config.checkpoint_minutes > 0 and self.run.writer.is_busy
        return not waits and self._checkpoint_due.due()

    def _checkpoint(self) -> None:
        """Start to write a checkpoint; if that fails, show the error and continue."""
        self.run.writer.wait()
        parts = self._checkpoint_parts()
        best = parts["state"]["best_return"]
        self.run.start_saving(lambda outcome: self._end_checkpoint(outcome, best), **parts)

    def _end_checkpoint(self, outcome: Outcome, best: float | None) -> None:
        """Show that a checkpoint was written, or why it was not."""
        if isinstance(outcome, CheckpointError):
            self.monitor.note(str(outcome))
            return
        note = f"checkpoint {outcome}"
        if best != self._best_return:
            record = command(RECORD, self.run.folder, "--best")
            note += f", the best so far: return {best:.4g}; {record}"
        self._best_return = best
        self.monitor.note(note)

    def _end_milestone(self, outcome: Outcome) -> None:
        with self.side_work.attempt("checkpoint of the progress"):
            if isinstance(outcome, CheckpointError):
                raise outcome

    def _save(self) -> None:
        """Write the last checkpoint.

        Raises:
            CheckpointError: it could not be written; older checkpoints are kept.
        """
        self.run.writer.wait()
        parts = self._checkpoint_parts()
        self.run.save(**parts)
        self._best_return = parts["state"]["best_return"]

    def _checkpoint_parts(self) -> dict[str, Any]:
        """All that a resume needs; pending updates were read before."""
        if self.group.size == 1:
            self._collect()
        is_best = self._is_best()
        state: dict[str, Any] = {
            "learner": self.learner.get_state(),
            "episodes": self.episodes.get_state(),
            "mix": self.curriculum.get_state(),
            "seconds": self.speed.clock.seconds,
            "cpu_seconds": self.speed.clock.cpu_seconds,
            "best_return": self.episodes.mean_return if is_best else self._best_return,
            "dropped": self._dropped,
            "restarts": self._restarts,
            "refused": self.refused.total,
        }
        if isinstance(self.workers, LocalWorkers) and self.group.size == 1:
            state["actors"] = self.workers.get_state()
            state["queue"] = [state_leaves(block) for block in self.queue.blocks()]
        return {
            "frame": self.learner.frames,
            "weights": self.learner.policy.state_dict(),
            "state": state,
            "best": is_best,
        }

    def _is_best(self) -> bool:
        """Whether the mean return, on all levels, exceeds that of each checkpoint before."""
        now = self.episodes.mean_return
        if now is None or len(self.episodes) < MIN_EPISODES_FOR_BEST:
            return False
        if not self.curriculum.is_last_stage:
            return False
        return self._best_return is None or now > self._best_return

    def _record_video(self) -> None:
        """Record a video of one episode with the current weights."""
        out = self.run.videos / f"{self.learner.frames:012d}.mp4"
        with self.side_work.attempt("video"):
            message = self.record_video(self.learner.policy, self.config, self.learner.frames, out)
            self.monitor.note(message)
            self.run.log_video(out, self.learner.frames)

    def _restore_learner(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        self.learner.set_state(checkpoint.state["learner"])
        self.episodes.set_state(checkpoint.state["episodes"])
        self.curriculum.set_state(checkpoint.state["mix"])
        self._best_return = checkpoint.state["best_return"]

    def _restore_actors(self, checkpoint: Checkpoint | None) -> None:
        """If the actors are in this process, continue their episodes."""
        if checkpoint is None or not isinstance(self.workers, LocalWorkers):
            return
        if self.group.size > 1:
            return
        if checkpoint.state.get("actors") is None:
            return
        self.workers.set_state(checkpoint.state["actors"])
        core_state = self.workers.group.rollout.state
        for leaves in checkpoint.state["queue"]:
            self.queue.put(from_leaves(leaves, core_state))
