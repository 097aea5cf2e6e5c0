"""A training run: unrolls in, updates made, checkpoints, metrics and videos out."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from agents.impala.config import ImpalaConfig
from agents.impala.episodes import EpisodeWindow
from agents.impala.learner import Learner, NotFinite
from agents.impala.level_curriculum import LevelMix
from agents.impala.monitor import Monitor, Status
from agents.impala.trajectory import from_leaves
from agents.impala.trajectory_queue import TrajectoryQueue
from agents.impala.workers import Delivery, LocalWorkers, Orders, Workers
from agents.networks.policy import Policy
from agents.runs.checkpoint import Checkpoint, CheckpointError, save
from agents.runs.clock import Clock, Every
from agents.runs.run import Run
from agents.runs.stop_signal import StopSignal
from agents.runs.weights import flatten
from memory.core import state_leaves

TELLING = 100
"""Episodes before a mean return can make a checkpoint the best."""

MakeWorkers = Callable[[ImpalaConfig, Callable[[], Orders]], Workers]
Film = Callable[[Policy, ImpalaConfig, int, Path], str]
"""From a policy, the run's configuration, a seed and a file to what is to be told of the video."""


def most_waiting(config: ImpalaConfig, processes: int) -> int:
    """Trajectories that may wait or be under way.

    What the learner has too little of for a batch, what all actors bring, and what one worker more
    makes meanwhile: so that whichever worker delivers can begin anew at once; but not so many that
    they would grow too old while they wait.
    """
    largest_group = -(-config.actors // processes)
    young = config.batch * config.max_lag
    least = config.actors + 2 * config.batch
    return max(least, min(config.batch + config.actors + largest_group, young))


class Training:
    """Everything a run holds in the learner's process.

    Args:
        learner: from `build_learner`, with the weights to begin or go on with.
        make_workers: from the configuration and a source of orders.
        film: makes the videos that `--video-every` asks for.
        checkpoint: to go on from, or None to begin.
    """

    def __init__(
        self,
        config: ImpalaConfig,
        learner: Learner,
        run: Run,
        make_workers: MakeWorkers,
        film: Film,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.config, self.run, self.film = config, run, film
        self.learner = learner
        self.queue = TrajectoryQueue()
        self.episodes = EpisodeWindow()
        self.mix = LevelMix(config.env.stages, config.grow_levels)
        self.clock = Clock()
        self._published: tuple[int, Tensor] | None = None
        self._lags: list[int] = []
        self._best_return: float | None = None
        self._restore_learner(checkpoint)
        self.workers = make_workers(config, self._orders)
        self._restore_actors(checkpoint)
        self.monitor = Monitor(config.frames, self.learner.frames)
        self._frames_reported = self.learner.frames
        self._log_due = Every(config.log_seconds)
        self._checkpoint_due = Every(60 * config.checkpoint_minutes)
        self._video_due = Every(config.video_minutes and 60 * config.video_minutes)

    def train(self) -> None:
        """Train until the last frame, or until asked to stop; ends with a checkpoint either way.

        Raises:
            NotFinite: the loss or gradient is not a number; the last checkpoint stays the newest.
            CheckpointError: the last checkpoint could not be written.
            Exception: whatever else ended the run, after a checkpoint.
        """
        with StopSignal() as stop, self.monitor:
            try:
                while self.learner.frames < self.config.frames and not stop.requested:
                    self._gather()
                    self._learn()
                    self._look_around()
                self._report()
            except NotFinite:
                raise
            except Exception:
                self._save()
                raise
            else:
                self._save()
            finally:
                self.workers.close()
                self.run.close()

    def _gather(self) -> None:
        """Take in what the workers have, waiting only when there is nothing to learn from."""
        hungry = len(self.queue) < self.config.batch
        room = most_waiting(self.config, self.workers.num_processes) - len(self.queue)
        with self.clock.measure("gathering"):
            deliveries = self.workers.gather(room, wait=hungry)
        for delivery in deliveries:
            self._take_in(delivery)
        self.queue.drop_older(self.learner.updates - self.config.max_lag)

    def _take_in(self, delivery: Delivery) -> None:
        self.queue.put(delivery.unroll.trajectory)
        self.clock.add("acting", delivery.seconds)
        self.episodes.extend(delivery.unroll.episodes)
        self.mix.observe(episode.info for episode in delivery.unroll.episodes)

    def _learn(self) -> None:
        """One update, if a batch is there."""
        if len(self.queue) < self.config.batch:
            return
        batch = self.queue.take(self.config.batch)
        self._lags += (self.learner.updates - batch.version).tolist()
        with self.clock.measure("learning"):
            try:
                self.learner.learn(batch)
            except NotFinite:
                with suppress(OSError):
                    torch.save(state_leaves(batch), self.run.folder / "not_finite_batch.pt")
                raise

    def _orders(self) -> Orders:
        """What the actors should act with now; the weights are gathered once per update."""
        version = self.learner.updates
        if self._published is None or self._published[0] != version:
            self._published = (version, flatten(self.learner.policy))
        return Orders(self._published[1], version, self.mix.options)

    def _look_around(self) -> None:
        """Whatever is due: metrics, a checkpoint, a video."""
        if self._log_due.due():
            self._report()
        if self._checkpoint_due.due():
            self._checkpoint()
        if self._video_due.due():
            self._film()

    def _report(self) -> None:
        """Metrics to the log, and to whoever watches."""
        losses = self.learner.read()
        if not losses:
            return
        speed = self._speed()
        episodes = {
            "episodes/return": self.episodes.mean_return,
            "episodes/length": self.episodes.mean_length,
            "episodes/solved": self.episodes.solved_rate,
        }
        known = {name: value for name, value in episodes.items() if value is not None}
        mix = {"levels/stage": self.mix.stage}
        self.run.log(known | losses | speed | mix, self.learner.frames)
        self.monitor.update(
            Status(
                frames=self.learner.frames,
                frames_per_second=speed["speed/frames_per_second"],
                mean_return=self.episodes.mean_return,
                solved=self.episodes.solved_rate,
                policy_lag=speed["lag/mean"],
                learner=speed["speed/learner_utilisation"],
                actors=speed["speed/actor_utilisation"],
                restarts=self.workers.num_restarts,
                loss=losses["loss/total"],
            )
        )

    def _speed(self) -> dict[str, float]:
        seconds, phases = self.clock.look()
        frames = self.learner.frames - self._frames_reported
        self._frames_reported = self.learner.frames
        lags, self._lags = self._lags or [0], []
        acting = phases.get("acting", 0.0) / max(1, self.workers.num_processes)
        return {
            "speed/frames_per_second": frames / seconds,
            "speed/learner_utilisation": phases.get("learning", 0.0) / seconds,
            "speed/actor_utilisation": acting / seconds,
            "speed/seconds": self.clock.seconds,
            "lag/mean": mean(lags),
            "lag/max": max(lags),
            "lag/dropped": self.queue.dropped,
            "workers/restarts": self.workers.num_restarts,
        }

    def _checkpoint(self) -> None:
        """Write a checkpoint; where the disk is full, that is told and training goes on."""
        try:
            self.monitor.note(f"checkpoint {self._save()}")
        except CheckpointError as error:
            self.monitor.note(str(error))

    def _save(self) -> Path:
        """Write all that is needed to go on.

        Raises:
            CheckpointError: it could not be written; older checkpoints are kept.
            NotFinite: an update that was handed over was not made; nothing is written.
        """
        is_best = self._is_best()
        best = self.episodes.mean_return if is_best else self._best_return
        state: dict[str, Any] = {
            "learner": self.learner.get_state(),
            "episodes": self.episodes.get_state(),
            "mix": self.mix.get_state(),
            "seconds": self.clock.seconds,
            "best_return": best,
        }
        if isinstance(self.workers, LocalWorkers):
            state["actors"] = self.workers.get_state()
            state["queue"] = [state_leaves(block) for block in self.queue.blocks()]
        path = save(
            self.run.checkpoints,
            frame=self.learner.frames,
            weights=self.learner.policy.state_dict(),
            state=state,
            best=is_best,
        )
        self._best_return = best
        return path

    def _is_best(self) -> bool:
        """Whether the last episodes, on the whole mix of levels, beat those at any checkpoint."""
        now = self.episodes.mean_return
        enough = self.mix.is_whole and len(self.episodes) >= TELLING
        return now is not None and enough and (self._best_return is None or now > self._best_return)

    def _film(self) -> None:
        """A video of one episode of the agent as it is now; training goes on where that fails."""
        out = self.run.videos / f"{self.learner.frames:012d}.mp4"
        self.monitor.note(self.film(self.learner.policy, self.config, self.learner.frames, out))

    def _restore_learner(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        self.learner.set_state(checkpoint.state["learner"])
        self.episodes.set_state(checkpoint.state["episodes"])
        self.mix.set_state(checkpoint.state["mix"])
        self.clock = Clock(checkpoint.state["seconds"])
        self._best_return = checkpoint.state["best_return"]

    def _restore_actors(self, checkpoint: Checkpoint | None) -> None:
        """With the actors in this process, go on in the middle of their episodes."""
        if checkpoint is None or not isinstance(self.workers, LocalWorkers):
            return
        if checkpoint.state.get("actors") is None:
            return
        self.workers.set_state(checkpoint.state["actors"])
        core_state = self.workers.group.rollout.state
        for leaves in checkpoint.state["queue"]:
            self.queue.put(from_leaves(leaves, core_state))
