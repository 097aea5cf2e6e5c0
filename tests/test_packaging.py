"""The three packages have everyday names, so it must be plain whose `agents` is imported."""

import importlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ["agents", "envs", "memory"]
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))
SHIPPED = ["pyproject.toml", "README.md", "LICENSE", *PACKAGES, "configs", "scripts", "tests"]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_resolves_inside_the_repository(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).resolve().parent == ROOT / name


def test_a_wheel_holds_exactly_the_three_packages(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    subprocess.run(build, cwd=tree, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = set(zipfile.ZipFile(wheel).namelist())
    assert {"memory/fused/rmc.cpp", "memory/fused/tiles.h"} <= files  # compiled where it is used
    names = {name.split("/")[0] for name in files}
    assert sorted(name for name in names if not name.endswith(".dist-info")) == PACKAGES


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
