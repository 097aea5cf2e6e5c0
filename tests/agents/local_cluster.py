"""Clusters on this machine, with nodes that have other sources than this process, or none."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from ray._private import services
from ray.cluster_utils import Cluster

from agents.cluster.shipping import FOLDERS, ROOT
from agents.faults.nodes import local_cluster


@contextmanager
def with_sources(num_cpus: int) -> Generator[Cluster]:
    """A cluster whose head node imports the project from here."""
    with local_cluster(num_cpus, env_vars={"PYTHONPATH": str(ROOT)}) as cluster:
        yield cluster


def older_copy(folder: Path) -> Path:
    """A copy of the sources, one of which differs."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "memory" / "core.py").open("a") as stream:
        stream.write("# as it was\n")
    return folder


def add_node_without_project(cluster: Cluster, **options: Any) -> Any:
    """Add a node whose processes find the project's folders empty."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user cannot hide folders from a process")
    folders = [root / name for root in {ROOT, *_installed()} for name in FOLDERS]
    hide = " && ".join(f"mount -t tmpfs none '{folder}'" for folder in folders if folder.is_dir())

    class Hidden(services.ConsolePopen):
        def __init__(self, command: list[str], *arguments: Any, **options: Any) -> None:
            command = ["unshare", "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh", *command]
            super().__init__(command, *arguments, **options)

    with patch.object(services, "ConsolePopen", Hidden):
        return cluster.add_node(**options)


def _installed() -> Iterable[Path]:
    """Folders from which a process elsewhere imports the project."""
    program = "import importlib.util as u; s = u.find_spec('agents'); print(s.origin if s else '')"
    environment = {name: x for name, x in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-P", "-c", program]
    found = subprocess.check_output(command, env=environment, cwd="/", text=True).strip()
    return [Path(found).parents[1]] if found else []
