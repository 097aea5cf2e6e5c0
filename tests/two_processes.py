"""Two processes of torch.distributed without Ray."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn


def in_two_processes(work: Callable[..., None], folder: Path, *arguments: object) -> None:
    """Call `work(rank, folder, *arguments)` in two processes of one group; both must return."""
    (folder / "meet").unlink(missing_ok=True)
    spawn(_join, (work, folder, arguments), nprocs=2)


def _join(
    rank: int, work: Callable[..., None], folder: Path, arguments: tuple[object, ...]
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    work(rank, folder, *arguments)
    dist.barrier()  # as under Ray, no process leaves while the other may still need it
    dist.destroy_process_group()
    sys.stdout.flush()
    # Without the end of the interpreter: a thread of gloo that drops its last tensor there asks for
    # the lock of Python, which ends it and, with "terminate called", the process.
    os._exit(0)
