"""The training command of supervised tasks."""

from agents.cli.program import CONFIGS, HelpGroup, Names, Program
from agents.supervised.config import SupervisedConfig
from memory.supervised import TASKS

SUPERVISED = Program(
    name="supervised.py",
    about="Train a recurrent core on a supervised task.",
    subject="task",
    kind="task",
    subjects=TASKS,
    usual=Names("nth_farthest", "rmc"),
    config=SupervisedConfig,
    folder=CONFIGS / "supervised",
    with_preset=frozenset(
        {
            "image_association",
            "language_model",
            "learning_to_execute",
            "nlvr",
            "nth_farthest",
            "pos_tagging",
            "sentences",
        }
    ),
    resumable=frozenset(
        {
            "steps",
            "stop_at",
            "patience",
            "data_parallel",
            "ray_address",
            "ship",
            "device",
            "threads",
            "graphs",
            "training.precision",
            "checkpoint_minutes",
            "log_seconds",
            "quiet",
            "wandb",
        }
    ),
    help=(
        HelpGroup("", ("steps", "seed", "device")),
        HelpGroup(
            "Learning",
            ("training.batch", "training.learning_rate", "training.clip_norm", "reader.readout"),
        ),
        HelpGroup(
            "Output",
            ("run_dir", "overwrite", "validate_every", "stop_at", "patience", "quiet"),
        ),
    ),
)
"""`scripts/supervised.py`"""
