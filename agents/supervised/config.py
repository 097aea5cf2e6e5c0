"""All options of a supervised run."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from memory import CORES, CoreConfig
from memory.options import above_zero, at_least, check
from memory.supervised import TASKS, ReaderConfig, TaskConfig, TrainingConfig
from memory.supervised.reinforcement import ReinforcementConfig


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig:
    """One training run of a core on a supervised task."""

    task: TaskConfig = field(default_factory=lambda: TASKS["nth_farthest"]())
    """Task (`--task NAME`); its options are `--task.OPTION`."""
    core: CoreConfig = field(default_factory=lambda: CORES["rmc"]())
    """Recurrent core (`--core NAME`); its options are `--core.OPTION`."""
    reader: ReaderConfig = field(default_factory=lambda: ReaderConfig(readout=(256, 256, 256, 256)))
    training: TrainingConfig = field(default_factory=TrainingConfig)
    reinforcement: ReinforcementConfig = field(default_factory=ReinforcementConfig)

    steps: int = 100_000
    """Updates to train for."""
    seed: int = 0
    """Seed of the weights and the sequences."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of the network."""
    threads: int | Literal["auto"] = "auto"
    """CPU threads."""
    graphs: Literal["auto", "never"] = "auto"
    """Capture the update as CUDA graphs on a GPU, if it does not read values back to the CPU;
    without it, most of the time is spent on launching kernels."""
    data_parallel: int = 1
    """Processes that share each batch, over Ray; 1 runs without Ray."""
    ray_address: str | None = None
    """Address of a running Ray cluster; None starts one on this machine."""
    ship: bool = True
    """Send the sources to the nodes of --ray-address; off where all of them have it installed."""
    validate_every: int = 1000
    """Updates between validations."""
    stop_at: float | None = None
    """Value of the task's measure, on the validation set, at which the run ends early."""
    patience: int | None = None
    """Validations in a row without improvement after which the run ends early."""

    run_dir: Path | None = None
    """Run folder; None makes runs/<task>-<core>-<seed>-<time>."""
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

    def __post_init__(self) -> None:
        for name in ("steps", "validate_every", "data_parallel"):
            at_least(1, **{name: getattr(self, name)})
        batch = self.training.batch
        check("data_parallel", self.data_parallel, self.data_parallel <= batch, f"at most {batch}")
        check("seed", self.seed, 0 <= self.seed < 2**63, "from 0 to 2^63 - 1")
        for name in ("checkpoint_minutes", "log_seconds"):
            at_least(0, **{name: getattr(self, name)})
        if self.threads != "auto":
            check("threads", self.threads, self.threads >= 1, "at least 1, or auto")
        if self.stop_at is not None:
            above_zero(stop_at=self.stop_at)
        if self.patience is not None:
            at_least(1, patience=self.patience)

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        idle: dict[str, str] = {}
        if self.data_parallel == 1:
            idle["ray_address"] = "--data-parallel 1, which runs without Ray"
        if self.ray_address is None:
            idle["ship"] = "a Ray that runs on this machine"
        if self.run_dir is None:
            idle["overwrite"] = "a new run folder; name the old one by --run-dir"
        if not getattr(self.core, "decides", False):
            names = (f"reinforcement.{field.name}" for field in fields(ReinforcementConfig))
            idle |= dict.fromkeys(names, "a core that decides nothing")
        return idle
