"""A supervised run in several processes that share each batch; rank 0 writes the run folder."""

import os
from functools import partial
from pathlib import Path

import torch

from agents.cluster.process_group import over_ray
from agents.runs.checkpoint import load_newest
from agents.runs.device import uses_graphs
from agents.runs.processes import follow, printing_to
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile, StopSignal
from agents.runs.weights import load_weights
from agents.supervised.build import build
from agents.supervised.config import SupervisedConfig
from agents.supervised.program import SUPERVISED
from agents.supervised.training import SupervisedTraining, status_of
from memory.group import DistributedGroup
from memory.supervised import Trainer
from memory.supervised.data.data_folder import VARIABLE


def train_together(config: SupervisedConfig, folder: Path, stop: StopSignal) -> int:
    """Train in processes of the connected Ray cluster, whose nodes share the run folder.

    Returns the exit status. Stop requests to this process are passed to rank 0 as a file.

    Args:
        stop: an entered one.

    Raises:
        ValueError: the cluster is too small.
        ProcessFailed: one of the processes failed.
    """
    folder = folder.resolve()
    work = partial(_work, config, folder, Path.cwd(), os.environ.get(VARIABLE))
    threads = threads_of(config)
    arguments = (work, config.data_parallel, threads, config.device, folder, "--data-parallel")
    return follow(folder, partial(over_ray, *arguments), stop)


def threads_of(config: SupervisedConfig) -> int:
    """Number of CPUs of each process; `auto` is 1."""
    return 1 if config.threads == "auto" else config.threads


def _work(
    config: SupervisedConfig,
    folder: Path,
    place: Path,
    data: str | None,
    group: DistributedGroup,
    device: str,
) -> int:
    """Train in one process of the group; returns the exit status.

    Only rank 0 writes to the run folder and prints.

    Args:
        place: folder in which the program was started; paths of options are relative to it.
        data: value of the environment variable that names the folder of data sets.
    """
    if place.is_dir():
        os.chdir(place)
    if data is not None:
        os.environ[VARIABLE] = data
    torch.set_num_threads(threads_of(config))
    task, reader = build(config)
    checkpoints = folder / "checkpoints"
    checkpoint = load_newest(checkpoints)
    if checkpoint is not None:
        load_weights(reader, checkpoint)
    graphs = uses_graphs(config.graphs, device)
    trainer = Trainer(
        reader, task, config.training, device, config.seed, group=group, graphs=graphs
    )
    with printing_to(folder, is_shown=group.rank == 0):
        run = Run.open(folder, SUPERVISED) if group.rank == 0 else None
        if run is not None:
            run.use_wandb(config.wandb)
        if run is not None and checkpoint is not None:
            run.resume(checkpoint.frame)
        training = SupervisedTraining(config, trainer, run, checkpoint, checkpoints)
        return status_of(training, StopFile(folder))
