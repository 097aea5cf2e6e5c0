"""The command line of IMPALA training: `scripts/impala.py`."""

from agents.cli.program import CONFIGS, HelpGroup, Names, Program
from agents.impala.config import ImpalaConfig
from envs import ENVS

IMPALA = Program(
    name="impala.py",
    about="Train a recurrent agent with the IMPALA actor-learner.",
    subject="env",
    kind="environment",
    subjects=ENVS,
    usual=Names("boxworld", "rmc"),
    config=ImpalaConfig,
    folder=CONFIGS / "impala",
    with_preset=frozenset({"boxworld", "minipacman"}),
    resumable=frozenset(
        {
            "frames",
            "learners",
            "workers",
            "device",
            "acting_device",
            "graphs",
            "learner_threads",
            "ray_address",
            "ship",
            "worker_deadline",
            "checkpoint_minutes",
            "log_seconds",
            "quiet",
            "wandb",
            "on_env_error",
            "video_minutes",
            "evaluate_every",
            "evaluate_levels",
        }
    ),
    help=(
        HelpGroup("", ("actors", "workers", "frames", "seed", "device")),
        HelpGroup(
            "Learning",
            (
                "batch",
                "unroll",
                "optimizer.learning_rate",
                "loss.discount",
                "loss.entropy_cost",
                "loss.reward_scale",
                "resume_weights",
            ),
        ),
        HelpGroup(
            "Output",
            ("run_dir", "overwrite", "checkpoint_minutes", "video_minutes", "quiet"),
        ),
    ),
)
"""`scripts/impala.py`"""
