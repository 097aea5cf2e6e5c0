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

KUBERAY: dict[str, dict[str, Any]] = {
    "RayJob": {"apiVersion": str, "kind": str, "metadata": {"name": str}, "spec": "RayJobSpec"},
    "RayJobSpec": {
        "entrypoint": str,
        "submissionMode": str,
        "backoffLimit": int,
        "activeDeadlineSeconds": int,
        "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "entrypointNumCpus": int,
        "runtimeEnvYAML": str,
        "rayClusterSpec": "RayClusterSpec",
    },
    "RayClusterSpec": {
        "rayVersion": str,
        "authOptions": {"mode": str, "secretName": str},
        "enableInTreeAutoscaling": bool,
        "headGroupSpec": "HeadGroupSpec",
        "workerGroupSpecs": ["WorkerGroupSpec"],
    },
    "HeadGroupSpec": {"rayStartParams": dict, "template": "PodTemplateSpec"},
    "WorkerGroupSpec": {
        "groupName": str,
        "replicas": int,
        "minReplicas": int,
        "maxReplicas": int,
        "rayStartParams": dict,
        "template": "PodTemplateSpec",
    },
    "PodTemplateSpec": {"spec": {"containers": ["Container"], "volumes": ["Volume"]}},
    "Container": {
        "name": str,
        "image": str,
        "resources": {"requests": "Resources", "limits": "Resources"},
        "volumeMounts": [{"name": str, "mountPath": str}],
    },
    "Resources": {"cpu": str, "memory": str, "nvidia.com/gpu": int},
    "Volume": {"name": str, "persistentVolumeClaim": {"claimName": str, "readOnly": bool}},
}
"""Fields and types of KubeRay's resources (ray.io/v1 of KubeRay 1.6, from
https://docs.ray.io/en/latest/cluster/kubernetes/references/api.html) and of the parts of
Kubernetes's pods that are used."""


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


def wrong_fields(value: Any, expected: Any, place: str = "RayJob") -> list[str]:
    """Places with a field that is not documented, or a value of another type."""
    if isinstance(expected, str):
        expected = KUBERAY[expected]
    if isinstance(expected, type):
        return [] if type(value) is expected else [f"{place}: {value!r}"]
    if isinstance(expected, list):
        if not isinstance(value, list):
            return [f"{place}: {value!r}"]
        return [x for item in value for x in wrong_fields(item, expected[0], place)]
    if not isinstance(value, dict):
        return [f"{place}: {value!r}"]
    return [
        wrong
        for name, item in value.items()
        for wrong in (
            wrong_fields(item, expected[name], f"{place}.{name}")
            if name in expected
            else [f"{place}.{name} is not documented"]
        )
    ]


def test_the_job_of_kubernetes_has_documented_fields_of_the_documented_types() -> None:
    job = load("kuberay.yaml")
    assert wrong_fields(job, "RayJob") == []
    job["spec"]["rayClusterSpec"]["workerGroupSpec"] = []
    job["spec"]["backoffLimit"] = "0"
    assert wrong_fields(job, "RayJob") == [
        "RayJob.spec.backoffLimit: '0'",
        "RayJob.spec.rayClusterSpec.workerGroupSpec is not documented",
    ]


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
