"""The store of a process group listens on one address, and its processes find each other there."""

import socket
from datetime import timedelta
from multiprocessing import get_context

import pytest
import torch
import torch.distributed as dist

from agents.cluster.store import LOOPBACK, join, open_store

TIMEOUT = timedelta(seconds=60)


def test_other_addresses_of_the_machine_are_refused() -> None:
    port = open_store(LOOPBACK, 2)
    with socket.create_connection((LOOPBACK, port), 5):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), 5)


def work(rank: int, port: int) -> None:
    """The second process."""
    join(rank, LOOPBACK, port, 2, TIMEOUT, "gloo", is_one_machine=True)
    dist.all_reduce(torch.ones(1))
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_reduce_and_connect_on_the_loopback_interface() -> None:
    port = open_store(LOOPBACK, 2)
    other = get_context("spawn").Process(target=work, args=(1, port))
    other.start()
    try:
        join(0, LOOPBACK, port, 2, TIMEOUT, "gloo", is_one_machine=True)
        total = torch.ones(1)
        dist.all_reduce(total)
        assert total.item() == 2
        assert listening() <= {"0100007F", "00000000000000000000000001000000"}
    finally:
        other.join(60)
        dist.destroy_process_group()
    assert other.exitcode == 0


def listening() -> set[str]:
    """The addresses, as in `/proc/net/tcp`, on which this process listens."""
    from agents.faults.processes import PROC, sockets_of

    found: set[str] = set()
    own = sockets_of("self")
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                found.add(fields[1].rsplit(":", 1)[0])
    return found
