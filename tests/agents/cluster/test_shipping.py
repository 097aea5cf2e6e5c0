"""What is sent to the nodes of a cluster."""

import json
from pathlib import Path

import pytest

from agents.cluster.shipping import FOLDERS, sources

ROOT = Path(__file__).parents[3]


def test_the_packages_and_presets_are_sent_without_caches_and_removed_again() -> None:
    with sources(True) as sent:
        folder = Path(sent["working_dir"])
        assert {path.name for path in folder.iterdir()} == {*FOLDERS}
        for file in ("envs/game.py", "memory/fused/lstm.cpp", "configs/impala/debug.yaml"):
            assert (folder / file).read_bytes() == (ROOT / file).read_bytes()
        assert not [*folder.rglob("__pycache__")]
    assert not folder.exists()


@pytest.mark.parametrize("is_sent_by_job", [True, False])
def test_what_a_submitted_job_has_sent_is_not_sent_again(
    is_sent_by_job: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"working_dir": "gcs://job.zip"} if is_sent_by_job else {"env_vars": {}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps({"runtime_env": environment}))
    with sources(True) as sent:
        assert ("working_dir" in sent) != is_sent_by_job


def test_nothing_is_sent_where_the_nodes_have_it_installed() -> None:
    with sources(False) as sent:
        assert sent == {}
