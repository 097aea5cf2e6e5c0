"""The files of configs/ray: what can be checked without machines and without Kubernetes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from agents.cli.command_line import parse_run
from agents.impala.program import IMPALA

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "configs" / "ray"


def constraint(library: str) -> str:
    """The version of a library that was tested."""
    found = re.search(rf"^{library}==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert found
    return found[1]


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text())


def test_ray_up_accepts_the_cluster_file() -> None:
    config = load("cluster.yaml")
    workers = len(config["provider"]["worker_ips"])
    assert config["min_workers"] == config["max_workers"] == workers
    validate_config(prepare_config(config))


def test_every_node_of_the_cluster_file_requires_the_token() -> None:
    config = load("cluster.yaml")
    commands = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    starts = [command for command in commands if "ray start" in command]
    assert len(starts) == 2 and all("RAY_AUTH_MODE=token" in command for command in starts)
    assert any(path.endswith(".ray/auth_token") for path in config["file_mounts"])


def test_the_job_of_kubernetes_has_the_tested_ray_a_token_and_shared_runs() -> None:
    job = load("kuberay.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == constraint("ray")
    assert f"rayproject/ray:{constraint('ray')}-" in (FOLDER / "Dockerfile").read_text()
    assert cluster["authOptions"] == {"mode": "token"}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {"runs"}
        assert {volume["name"] for volume in pod["volumes"]} == {"runs"}


def test_the_job_of_kubernetes_fits_its_cluster() -> None:
    job = load("kuberay.yaml")
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:2] == ["engram", "train"]
    config = parse_run(IMPALA, words[2:]).config
    cluster = job["spec"]["rayClusterSpec"]

    def cpus(group: dict[str, Any]) -> int:
        (container,) = group["template"]["spec"]["containers"]
        return int(container["resources"]["requests"]["cpu"])

    (group,) = cluster["workerGroupSpecs"]
    total = cpus(cluster["headGroupSpec"]) + group["maxReplicas"] * cpus(group)
    assert config.learner_threads <= cpus(cluster["headGroupSpec"])
    assert config.learner_threads + config.workers <= total
    assert config.run_dir.parts[:2] == ("/", "runs") and not config.ship


@pytest.mark.parametrize("file", ["cluster.yaml", "kuberay.yaml", "Dockerfile"])
def test_the_page_about_clusters_names_the_files(file: str) -> None:
    assert f"configs/ray/{file}" in (ROOT / "docs" / "cluster.md").read_text()
