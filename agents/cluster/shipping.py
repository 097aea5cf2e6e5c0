"""The project's sources for nodes of a cluster that do not have them."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agents", "configs", "envs", "memory")
"""Folders that are sent; runs, data and the repository's history are not."""
_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Environment variable in which Ray tells a submitted job its settings."""


@contextmanager
def sources(ship: bool) -> Generator[dict[str, Any], None, None]:
    """Part of a runtime environment of Ray that sends the sources; it is uploaded by `ray.init`.

    Empty if nothing is to be sent, or if `ray job submit --working-dir` has sent it. It is the
    working directory of the nodes' processes: Ray puts that first on their path of modules, and
    does not put folders of this machine before it, where a node may have an older copy.
    """
    if not ship or _job_has_folder():
        yield {}
        return
    with TemporaryDirectory() as folder:
        for name in FOLDERS:
            copytree(ROOT / name, Path(folder) / name, ignore=ignore_patterns("__pycache__"))
        yield {"working_dir": folder}


def _job_has_folder() -> bool:
    job: dict[str, Any] = json.loads(os.environ.get(_JOB) or "{}")
    environment: dict[str, Any] = job.get("runtime_env") or {}
    return bool(environment.get("working_dir"))
