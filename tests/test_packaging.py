"""The three packages have everyday names, so it must be plain whose `agents` is imported."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ["agents", "envs", "memory"]
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
SHIPPED = ["pyproject.toml", "README.md", "LICENSE", *PACKAGES, "configs", "scripts", "tests"]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_resolves_inside_the_repository(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).resolve().parent == ROOT / name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    subprocess.run(build, cwd=tree, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_a_wheel_holds_exactly_the_packages_and_their_data(wheel: Path) -> None:
    files = set(zipfile.ZipFile(wheel).namelist())
    assert {"memory/fused/rmc.cpp", "memory/fused/tiles.h"} <= files  # compiled where it is used
    assert {f"{package}/py.typed" for package in PACKAGES} <= files
    for data in ("configs", "agents/zoo"):
        paths = (path for path in (ROOT / data).rglob("*") if path.is_file())
        assert {path.relative_to(ROOT).as_posix() for path in paths} <= files
    names = {name.split("/")[0] for name in files}
    assert {name for name in names if not name.endswith(".dist-info")} == {*PACKAGES, "configs"}


def test_the_dockerfile_copies_what_a_wheel_is_built_from() -> None:
    lines = (ROOT / "scripts/Dockerfile").read_text().splitlines()
    copied = {name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]}
    assert all((ROOT / name).exists() for name in copied)
    assert copied - {"constraints.txt"} == {*SHIPPED} - {"scripts", "tests"}
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in sent and copied <= {line[1:] for line in sent if line.startswith("!")}


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a new environment with the wheel; other libraries are those of this one."""
    folder = tmp_path_factory.mktemp("installation")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = next(path for path in (folder / "bin", folder / "Scripts") if path.is_dir()) / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel]
    subprocess.run(install, check=True, capture_output=True)
    libraries = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    # A line of a .pth is a folder; the .pth files in that folder, such as that of an editable
    # installation of this repository, are not read.
    (Path(libraries.strip()) / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python.parent


def engram(installation: Path, folder: Path, *arguments: str) -> str:
    """Run the console command in a folder; returns what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [installation / "engram", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    return result.stdout


@pytest.mark.slow
def test_an_installed_wheel_trains_with_the_presets_and_evaluates(
    installation: Path, tmp_path: Path
) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert engram(installation, tmp_path, "--version") == f"engram {version}\n"
    engram(installation, tmp_path, "train", "--config", "debug", "--core", "lstm",
           "--frames", "4000", "--run-dir", "run")  # fmt: skip
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (config["env"]["grid_size"], config["actors"]) == (8, 8)  # of the preset
    assert json.loads((tmp_path / "run" / "versions.json").read_text())["commit"] is None
    assert "frame 4,000" in engram(installation, tmp_path, "evaluate", "run", "--episodes", "5")
    few = ("--frames", "320", "--workers", "0", "--actors", "4", "--batch", "4")
    engram(installation, tmp_path, "train", "--env", "minipacman", *few, "--run-dir", "eaten")
    config = yaml.safe_load((tmp_path / "eaten" / "config.yaml").read_text())
    assert config["optimizer"]["name"] == "adam"


@pytest.mark.slow
def test_an_installed_wheel_runs_a_benchmark(installation: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(
        "seeds: [1]\nsettings: {steps: 2, validate_every: 2, training.batch: 4}\n"
        "tasks:\n  recall: {task: delayed_recall, task.length: 3, task.delay: 4}\n"
        "cores:\n  gru: {core: gru, core.hidden: 8}\n"
    )
    printed = engram(installation, tmp_path, "benchmark", "plan.yaml", "--out", "out")
    assert "report.html" in printed


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_starts_from_anywhere_and_past_a_stranger_of_the_same_name(
    script: str, tmp_path: Path
) -> None:
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('a stranger: {name}')\n")
    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "usage" in result.stdout.lower()
