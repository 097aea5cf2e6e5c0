"""Runs a function in several processes of a Ray cluster that share batches."""

# pyright: reportUnknownMemberType=false

import os
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import ray
import ray.train
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, get_device

from agents.cluster.installation import differences, installation
from agents.cluster.nodes import this_node
from agents.cluster.store import LocalStoreConfig
from memory.group import DistributedGroup


class ProcessFailed(RuntimeError):
    """One of the processes failed; the message says why."""


PATIENCE = 24 * 3600
"""Seconds that processes wait while rank 0 validates."""
FILES = "ray"
"""Folder of Ray's own files during a run; removed at the end."""


def device_of(processes: int, threads: int, device: str, option: str) -> str:
    """The device of processes, cpu or cuda, once the connected cluster can hold them.

    Raises:
        ValueError: the cluster has too few CPUs or GPUs.
    """
    if device == "auto":
        device = "cuda" if ray.cluster_resources().get("GPU", 0) >= processes else "cpu"
    asked = {"CPU": processes * threads} | ({"GPU": processes} if device == "cuda" else {})
    for kind, count in asked.items():
        there = int(ray.cluster_resources().get(kind, 0))
        if there < count:
            raise ValueError(f"{option} {processes}: needs {count} {kind}s, Ray has {there}")
    return device


def over_ray(
    work: Callable[[DistributedGroup, str], int],
    processes: int,
    threads: int,
    device: str,
    folder: Path,
    option: str,
    max_failures: int = 0,
) -> int:
    """Run a function in processes of the connected cluster; returns the result of the first.

    Args:
        work: called with its group and its device.
        threads: CPUs of each process.
        device: cuda for a GPU each, cpu, or auto: cuda if there are enough GPUs.
        folder: a folder that all nodes can write to.
        option: the flag that asks for the processes, for errors.
        max_failures: how often all processes are started again when one is lost.

    Raises:
        ValueError: the cluster has too few CPUs or GPUs.
        ProcessFailed: one of the processes failed.
    """
    device = device_of(processes, threads, device, option)
    expected = installation()

    def loop() -> int:
        if different := differences(installation(), expected):
            raise RuntimeError(f"{this_node()} has another installation: {different}")
        return work(DistributedGroup(), str(get_device()))

    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # relative paths of options stay valid
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "600")  # torch may load slowly
    trainer = TorchTrainer(
        loop,
        torch_config=LocalStoreConfig("nccl" if device == "cuda" else "gloo", timeout_s=PATIENCE),
        scaling_config=ScalingConfig(
            num_workers=processes,
            use_gpu=device == "cuda",
            resources_per_worker={"CPU": threads},
        ),
        run_config=RunConfig(
            name=FILES,
            storage_path=str(folder),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )
    try:
        status = trainer.fit().return_value
    except ray.train.TrainingFailedError as error:
        raise ProcessFailed(str(error)) from None
    finally:
        rmtree(folder / FILES, ignore_errors=True)
    assert isinstance(status, int)
    return status
