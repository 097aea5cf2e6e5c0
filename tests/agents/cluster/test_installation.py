"""The digest of the sources that a process imports, of a copy of them and of none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agents.cluster.installation import MISSING, PACKAGES, differences, installation

ROOT = Path(__file__).parents[3]
FILE = ROOT / "agents" / "cluster" / "installation.py"
PROGRAM = f"import json, runpy; print(json.dumps(runpy.run_path({str(FILE)!r})['installation']()))"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Another place with the same sources."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("zoo"))
    return tmp_path


def installation_of(path: Path) -> dict[str, str]:
    """Of a process that imports from a folder, without any installed library."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, "-S", "-c", PROGRAM]
    output = subprocess.check_output(command, env=environment, cwd=path)
    return json.loads(output)


def test_the_same_sources_elsewhere_have_the_same_digest_and_data_does_not_count(copy: Path):
    (copy / "agents" / "notes.txt").write_text("mine")
    assert installation_of(copy)["sources"] == installation()["sources"]


@pytest.mark.parametrize("file", ["envs/vector.py", "memory/fused/lstm.cpp", "agents/new.py"])
def test_a_change_or_a_further_file_has_another_digest(file: str, copy: Path) -> None:
    with (copy / file).open("a") as stream:
        stream.write("\n")
    assert installation_of(copy)["sources"] != installation()["sources"]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = installation_of(tmp_path)
    assert found["sources"] == found["torch"] == MISSING
    assert found["python"] == installation()["python"]


def test_differences_name_both_values() -> None:
    ours = {"sources": "1a2", "torch": "2.13.0", "numpy": "2.4.6"}
    assert differences(ours, ours) == ""
    assert differences({**ours, "torch": "2.9.1"}, ours) == "torch 2.9.1 (here 2.13.0)"
    assert differences({"sources": "1b3"}, ours) == (
        "sources 1b3 (here 1a2), torch none (here 2.13.0), numpy none (here 2.4.6)"
    )
