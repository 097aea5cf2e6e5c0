"""The store with which the processes of a group find each other, at one address only.

PyTorch's own store listens on all interfaces of a node, and asks nobody who connects for a token.
"""

# pyright: standard, reportPrivateImportUsage=false

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray
import torch.distributed as dist
from ray.train.torch import TorchConfig

LOOPBACK = "127.0.0.1"
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
"""Environment variables that name the network interface on which processes connect."""
_opened: list[dist.TCPStore] = []
"""The store of rank 0, between `open_store` and `join`."""


@dataclass
class LocalStoreConfig(TorchConfig):
    """Ray Train's settings of a process group, whose store listens on one address.

    It is the loopback address if all processes are on one node, otherwise the address of the node
    of rank 0.
    """

    @property
    def backend_cls(self) -> type[Any]:
        """Starts the process group."""
        return _Backend


class _Backend(TorchConfig().backend_cls):
    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        nodes = worker_group.execute(_node)
        is_one_machine = len(set(nodes)) == 1
        host = LOOPBACK if is_one_machine else worker_group.execute_single(0, _address)
        size = len(worker_group)
        port = worker_group.execute_single(0, open_store, host, size)
        timeout = timedelta(seconds=backend_config.timeout_s)
        store = (host, port, size, timeout)
        joined = [
            worker_group.execute_single_async(
                rank, join, rank, *store, str(backend_config.backend), is_one_machine
            )
            for rank in range(size)
        ]
        ray.get(joined)


def _node() -> str:
    return ray.get_runtime_context().get_node_id()


def _address() -> str:
    return ray.util.get_node_ip_address()


def open_store(host: str, size: int) -> int:
    """Open the store of a group of a number of processes; returns its port."""
    server = socket.create_server(
        (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
    )
    port = server.getsockname()[1]
    _opened[:] = [
        dist.TCPStore(
            host, port, size, True, wait_for_workers=False, master_listen_fd=server.detach()
        )
    ]
    return port


def join(
    rank: int,
    host: str,
    port: int,
    size: int,
    timeout: timedelta,
    backend: str,
    is_one_machine: bool,
) -> None:
    """Make this process a member of the group.

    Args:
        timeout: of the collectives.
        is_one_machine: the processes connect on the loopback interface, unless the user has set
            another.
    """
    if is_one_machine:
        for name in _INTERFACES:
            os.environ.setdefault(name, "lo")
    store = _opened.pop() if rank == 0 else dist.TCPStore(host, port, size, False)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
