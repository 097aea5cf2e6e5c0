"""All options of a training run. The defaults are the settings of the RMC paper.

Source: Santoro et al. 2018, "Relational recurrent neural networks", appendix A.3: 100 actors,
batches of 32 trajectories of 40 steps, discount 0.99, entropy cost 0.005, learning rate 1e-5 to
2e-4.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from agents.networks.config import PolicyConfig
from envs import ENVS
from memory import CORES, CoreConfig
from memory.options import above_zero, at_least, check


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """V-trace actor-critic (Espeholt et al. 2018)."""

    discount: float = 0.99
    """Weight of the next step's value, per step."""
    entropy_cost: float = 0.005
    """Weight of the entropy bonus."""
    value_cost: float = 0.5
    """Weight of the value error."""
    rho_clip: float = 1.0
    """Ceiling of the importance ratio in the value target and the policy gradient (rho-bar)."""
    c_clip: float = 1.0
    """Ceiling of the importance ratio in the trace (c-bar)."""
    trace_decay: float = 1.0
    """Decay of the trace per step (lambda)."""
    centre_advantages: bool = False
    """Subtract the mean advantage of the batch from each, in the policy gradient, so that values
    that are all too high or too low do not bias it."""
    reward_scale: float = 1.0
    """Factor on every reward before learning; returns are reported unscaled."""
    reward_clip: float | None = None
    """Largest absolute value of a scaled reward in learning; None does not clip."""

    def __post_init__(self) -> None:
        check("discount", self.discount, 0 <= self.discount <= 1, "from 0 to 1")
        for name in ("entropy_cost", "value_cost", "trace_decay"):
            value = getattr(self, name)
            check(name, value, 0 <= value < math.inf, "at least 0 and finite")
        above_zero(rho_clip=self.rho_clip, c_clip=self.c_clip, reward_scale=self.reward_scale)
        if self.reward_clip is not None:
            above_zero(reward_clip=self.reward_clip)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Options of the optimiser."""

    name: Literal["rmsprop", "adam"] = "rmsprop"
    """Optimiser."""
    learning_rate: float = 2e-4
    """Learning rate at the start."""
    schedule: Literal["linear", "constant"] = "linear"
    """`linear` decreases to zero at the last frame."""
    clip_norm: float = 5.0
    """Largest global norm of the gradient."""
    epsilon: float = 1e-5
    """Term added to the denominator of the step."""
    decay: float = 0.99
    """Decay of the running mean of squared gradients (RMSProp; Adam's beta2)."""
    momentum: float = 0.0
    """Momentum (RMSProp; Adam's beta1)."""

    def __post_init__(self) -> None:
        above_zero(learning_rate=self.learning_rate, clip_norm=self.clip_norm, epsilon=self.epsilon)
        for name in ("decay", "momentum"):
            value = getattr(self, name)
            check(name, value, 0 <= value < 1, "at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class ImpalaConfig:
    """One training run of the IMPALA actor-learner."""

    env: Any = field(default_factory=lambda: ENVS["boxworld"])
    """Environment (`--env NAME`); its options are `--env.OPTION`."""
    core: CoreConfig = field(default_factory=lambda: CORES["rmc"]())
    """Recurrent core (`--core NAME`); its options are `--core.OPTION`."""
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()

    actors: int = 100
    """Number of environments, each with its own levels and recurrent state."""
    workers: int | Literal["auto"] = "auto"
    """Processes that host the actors; 0 is this process only: repeatable bit for bit, no Ray."""
    learners: int = 1
    """Processes that learn, each from its share of every batch and with its share of the actors;
    several run on Ray."""
    batch: int = 32
    """Trajectories per update."""
    unroll: int = 40
    """Steps per trajectory."""
    frames: int = 1_000_000_000
    """Environment steps to train for."""
    seed: int = 0
    """Seed of the weights, the levels and the actions."""
    max_lag: int = 16
    """Largest number of updates between the weights that acted and those that learn; older
    trajectories are dropped and counted."""
    grow_levels: float | None = None
    """Solved rate at which the curriculum adds harder levels, starting with the easiest; None
    trains on all levels from the start. Evaluation never uses it."""
    learner_threads: int | Literal["auto"] = "auto"
    """CPU threads of the learner."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of the learner."""
    acting_device: Literal["cpu", "cuda"] = "cpu"
    """Device of the actors' networks; Ray workers share the cluster's GPUs."""
    graphs: Literal["auto", "never"] = "auto"
    """Capture the update and the acting step as CUDA graphs on a GPU; without it, most of the
    time is spent on launching kernels."""
    ray_address: str | None = None
    """Address of a running Ray cluster; None starts one on this machine."""
    ship: bool = True
    """Send the sources to the nodes of --ray-address; off where all of them have it installed."""
    worker_deadline: float = 60.0
    """Seconds without a step of its actors after which a worker is replaced; with --workers 0 the
    run ends with a checkpoint. The first step has 300 s at least."""
    on_env_error: Literal["stop", "restart"] = "stop"
    """What to do when an environment fails: stop with a checkpoint, or restart its worker."""

    resume_weights: str | None = None
    """Start from the weights of a run folder, or of a trained agent by its name, with a new
    optimiser; None draws new ones."""
    run_dir: Path | None = None
    """Run folder; None makes runs/<env>-<core>-<seed>-<time>."""
    overwrite: bool = False
    """Replace an existing run folder."""
    checkpoint_minutes: float = 1.0
    """Minutes between checkpoints."""
    log_seconds: float = 5.0
    """Seconds between lines of metrics."""
    quiet: bool = False
    """Print errors only."""
    wandb: str | None = None
    """Project of Weights & Biases to log to as well."""
    evaluate_every: int | None = None
    """Frames between evaluations on fresh levels, written to evaluations.jsonl; the last one, at
    the end, goes to results.json. None evaluates never."""
    evaluate_levels: int = 1000
    """Fresh levels of an evaluation."""
    video_minutes: float | None = None
    """Minutes between videos (`--video-every`); None records none."""

    def __post_init__(self) -> None:
        for name in ("actors", "learners", "batch", "unroll", "frames"):
            at_least(1, **{name: getattr(self, name)})
        for name in ("seed", "max_lag", "checkpoint_minutes", "log_seconds"):
            at_least(0, **{name: getattr(self, name)})
        above_zero(worker_deadline=self.worker_deadline)
        check("seed", self.seed, self.seed < 2**64, "below 2**64")
        if self.video_minutes is not None:
            above_zero(video_minutes=self.video_minutes)
        at_least(1, evaluate_levels=self.evaluate_levels)
        if self.evaluate_every is not None:
            at_least(1, evaluate_every=self.evaluate_every)
        threads, rate = self.learner_threads, self.grow_levels
        if threads != "auto":
            check("learner_threads", threads, threads >= 1, "at least 1, or auto")
        if rate is not None:
            check("grow_levels", rate, 0 < rate <= 1, "above 0 and at most 1")
        self._check_workers()
        self._check_learners()
        self._check_lag()

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        idle: dict[str, str] = {}
        if self.workers == 0:
            if self.learners == 1:
                idle["ray_address"] = "--workers 0, which runs without Ray"
            if self.on_env_error == "restart":
                idle["on_env_error"] = "--workers 0: there is no worker to restart"
        if self.ray_address is None:
            idle["ship"] = "a Ray that runs on this machine"
        if self.run_dir is None:
            idle["overwrite"] = "a new run folder; name the old one by --run-dir"
        if len(self.env.stages) < 2:
            idle["grow_levels"] = "an environment that has one kind of level"
        return idle

    def for_any_machine(self) -> "ImpalaConfig":
        """These settings without computations that only some CPUs and GPUs have."""
        if getattr(self.core, "fused", "auto") not in ("bf16", "triton"):
            return self
        return replace(self, core=replace(cast(Any, self.core), fused="auto"))

    def _check_workers(self) -> None:
        allowed = f"from 0 (no Ray) to --actors {self.actors}, or auto"
        check("workers", n := self.workers, n == "auto" or 0 <= n <= self.actors, allowed)

    def _check_learners(self) -> None:
        """Refuse what the learners cannot share equally."""
        for name in ("batch", "actors", "workers"):
            value, learners = getattr(self, name), self.learners
            if value != "auto" and value % learners:
                nearest = max(1, round(value / learners)) * learners
                allowed = f"a multiple of --learners {learners}, such as {nearest}"
                check(name, value, False, allowed)

    def share(self, learner: int) -> tuple["ImpalaConfig", range]:
        """The settings of one of the learners, with its parts of the sizes; and its actors."""
        actors = self.actors // self.learners
        workers = self.workers if self.workers == "auto" else self.workers // self.learners
        config = replace(
            self, actors=actors, workers=workers, batch=self.batch // self.learners, learners=1
        )
        return config, range(learner * actors, (learner + 1) * actors)

    def _check_lag(self) -> None:
        """Refuse so many actors that most of their trajectories would be dropped as too old."""
        oldest = math.ceil(self.actors / self.batch)
        if self.max_lag and oldest > self.max_lag:
            raise ValueError(
                f"--actors {self.actors} in batches of {self.batch} yields trajectories up to "
                f"{oldest} updates old, and --max-lag {self.max_lag} would drop most of them: "
                "raise --batch or --max-lag."
            )
