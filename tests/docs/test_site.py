"""The site has every page, and builds without a warning."""

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from envs import ENVS
from memory import CORES
from memory.supervised import TASKS
from tests.docs.literal import ROOT


def pages(nav: Any) -> list[str]:
    """The files of a navigation."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages(part)]


def reference() -> dict[str, list[str]]:
    """The table of docs/hooks.py, which only the site's environment can import."""
    for node in ast.parse((ROOT / "docs/hooks.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "REFERENCE":
            return ast.literal_eval(node.value)
    raise AssertionError("docs/hooks.py has no REFERENCE")


def test_every_page_is_in_the_navigation_once() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    made = {"index.md", "changelog.md", *(f"reference/{package}.md" for package in reference())}
    docs = ROOT / "docs"
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    listed = pages(config["nav"])
    assert len(listed) == len({*listed}) and {*listed} == made | written


@pytest.mark.parametrize("name", [name for names in reference().values() for name in names])
def test_what_the_reference_names_exists(name: str) -> None:
    module, _, last = name.rpartition(".")
    found = getattr(importlib.import_module(module), last, None) or importlib.import_module(name)
    assert found.__doc__


@pytest.mark.parametrize(
    ("kind", "registry"), [("cores", CORES), ("environments", ENVS), ("tasks", TASKS)]
)
def test_every_entry_of_a_registry_has_a_small_picture(
    kind: str, registry: Mapping[str, object]
) -> None:
    pictures = {path.stem: path for path in (ROOT / "docs/pictures" / kind).glob("*.png")}
    assert {*pictures} == {*registry} - {"gymnasium"}  # environments of others
    assert all(path.stat().st_size < 30_000 for path in pictures.values())


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_requests_nothing_elsewhere(tmp_path: Path) -> None:
    python = os.environ.get("ENGRAM_LIBRARIES", sys.executable)

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [python, "-m", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    if run("mkdocs", "--version").returncode:
        pytest.skip(f"{python} has no mkdocs; ENGRAM_LIBRARIES names a Python that has it")
    done = run("mkdocs", "build", "--strict", "--site-dir", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    for kind, registry in (("cores", CORES), ("environments", ENVS), ("tasks", TASKS)):
        assert {page.parent.name for page in (tmp_path / kind).glob("*/index.html")} == {*registry}
    for page in tmp_path.rglob("*.html"):
        assert '<script src="http' not in page.read_text(encoding="utf-8")
        assert 'rel="stylesheet" href="http' not in page.read_text(encoding="utf-8")
