"""Makes an entry of the zoo from a finished run.

agents/zoo/<name>/
    README.md       the model card, written from the other files
    config.yaml     the settings of the run, with `fused: auto` in place of bf16 or triton
    versions.json   what it ran on, and its command
    curve.csv       learning curve
    results.json    test on fresh levels
    checkpoints/    one checkpoint: the weights, without the optimiser's state

It is a run folder, so whatever takes a run takes an entry.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.benchmark.curves import curve_of, write_table
from agents.benchmark.model_card import CARD, model_card
from agents.cli.presets import to_yaml
from agents.evaluation.evaluate import evaluate
from agents.evaluation.summary import summary
from agents.impala.build import build_policy
from agents.impala.evaluations import TEST
from agents.impala.program import IMPALA
from agents.networks.policy import Policy
from agents.runs.atomic import atomic_path
from agents.runs.checkpoint import Checkpoint, save
from agents.runs.run import RESULTS, Run, RunError
from agents.runs.weights import load_weights

MAX_BYTES = 4_000_000
"""Largest file of weights."""
CURVE, VERSIONS = "curve.csv", "versions.json"
DTYPES = {"float16": torch.float16, "float32": torch.float32}
_POINTS = 120  # rows of a curve
_NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")


def add_entry(
    run_path: Path,
    target: Path,
    *,
    best: bool = False,
    dtype: str = "float16",
    episodes: int = 1000,
    overwrite: bool = False,
    watch: Callable[[int], object] | None = None,
) -> None:
    """Write the entry `target` from a run: cast the weights, evaluate them, and describe them.

    Args:
        best: take the checkpoint with the best return in training, not the newest.
        dtype: of the weights, a key of `DTYPES`.
        episodes: fresh levels of the evaluation, at least 2 for an interval.
        watch: called with the number of finished episodes.

    Raises:
        RunError: the entry exists, its name or its size is not allowed, or the run cannot be read.
        CheckpointError: there is no valid checkpoint.
    """
    if not _NAME.fullmatch(target.name):
        raise RunError(f"--name {target.name}: expected lower-case letters, digits, - and _")
    if target.exists() and not overwrite:
        raise RunError(f"{target} exists; --overwrite replaces it.")
    run = Run.open(run_path, IMPALA)
    checkpoint = run.load(best=best)
    weights = _cast(checkpoint.weights, DTYPES[dtype])
    settings = run.config.for_any_machine()
    policy = build_policy(settings)
    load_weights(policy, checkpoint._replace(weights=weights))
    evaluation = evaluate(policy, settings.env, episodes=episodes, seed=TEST, watch=watch)
    results = _results(run, policy, checkpoint, summary(evaluation))
    with atomic_path(target, replace=overwrite) as folder:
        folder.mkdir(parents=True)
        config = to_yaml(IMPALA, settings, run.names).encode()
        (folder / run.config_file.name).write_bytes(config)
        (folder / VERSIONS).write_text(_json(_versions(run.folder / VERSIONS)))
        (folder / RESULTS).write_text(_json(results))
        write_table(folder / CURVE, {target.name: curve_of(run.folder)}, _POINTS)
        save(
            folder / "checkpoints",
            frame=checkpoint.frame,
            weights=weights,
            state={},
            config=config,
            best=True,
        )
        _check_size(folder)
        (folder / CARD).write_text(model_card(folder, target.name))


def _cast(weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The weights in another precision; integers stay."""
    found = {name: x.to(dtype) if x.is_floating_point() else x for name, x in weights.items()}
    for name, x in found.items():
        if not x.isfinite().all():
            raise RunError(f"{name} is too large for {dtype}; use --dtype float32.")
    return found


def _results(
    run: Run, policy: Policy, checkpoint: Checkpoint, test: dict[str, Any]
) -> dict[str, Any]:
    """As in the folder of a finished run; `seed` is that of the levels."""
    seconds, cpu_seconds = _spent(run, checkpoint)
    return {
        "measure": test.pop("measure"),
        "test": test,
        "baselines": {},
        "remarks": [],
        "step": checkpoint.frame,
        "frames": checkpoint.frame,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "parameters": sum(x.numel() for x in policy.parameters()),
        "seed": TEST,
    }


def _spent(run: Run, checkpoint: Checkpoint) -> tuple[float, float]:
    """Seconds, and CPU seconds; from the log if the state is of an earlier version."""
    names = ("speed/seconds", "speed/cpu_seconds")
    lines = [
        line
        for line in run.metrics()
        if line["frame"] <= checkpoint.frame and all(name in line for name in names)
    ]
    if "seconds" not in checkpoint.state and lines:
        return lines[-1][names[0]], lines[-1][names[1]]
    return checkpoint.state["seconds"], checkpoint.state["cpu_seconds"]


def _versions(file: Path) -> dict[str, Any]:
    """What the run ran on, without paths of that machine."""
    found: dict[str, Any] = json.loads(file.read_text())
    command = iter(found["command"][1:])
    words = ["python", f"scripts/{IMPALA.name}"]
    for word in command:
        if word == "--run-dir":
            next(command, None)
        elif not word.startswith("--run-dir="):
            words.append(Path(word).name if Path(word).is_absolute() else word)
    return {**found, "command": words}


def _check_size(folder: Path) -> None:
    (weights,) = folder.glob("checkpoints/*/weights.safetensors")
    if (size := weights.stat().st_size) > MAX_BYTES:
        raise RunError(
            f"the weights are {size / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB are allowed. "
            "Use --dtype float16, or a smaller core."
        )


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"
