"""Arrows between packages point one way, and only one module knows Ray."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {"memory": {"memory"}, "envs": {"envs"}, "agents": {"agents", "envs", "memory"}}
OURS = {*MAY_IMPORT, "scripts", "tests", "configs"}
KNOW_RAY = {
    "agents/cluster/ray_session.py",
    "agents/impala/ray_workers.py",
    "agents/benchmark/over_ray.py",
    "memory/supervised/distributed.py",
}
PACKAGES = sorted(MAY_IMPORT)


def files(package: str) -> list[Path]:
    """Every module of a package; an empty list would let each test below pass for nothing."""
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no Python file under {package}/"
    return found


def imports(path: Path) -> Iterator[str]:
    """Top-level names that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module is not None
            yield node.module.split(".")[0]


def users(package: str, names: set[str]) -> set[str]:
    """Files of a package that import one of the names."""
    return {p.relative_to(ROOT).as_posix() for p in files(package) if names & set(imports(p))}


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_point_one_way(package: str) -> None:
    assert not users(package, OURS - MAY_IMPORT[package])


def test_only_the_loop_and_the_benchmark_know_ray() -> None:
    found = set().union(*(users(package, {"ray"}) for package in PACKAGES))
    assert found <= KNOW_RAY


def test_the_cores_need_torch_alone() -> None:
    allowed = {"memory", "torch", "jaxtyping", *sys.stdlib_module_names}
    others = {p.name: set(imports(p)) - allowed for p in (ROOT / "memory").glob("*.py")}
    assert not {name: found for name, found in others.items() if found}


def test_the_environments_start_without_torch() -> None:
    assert not users("envs", {"torch", "jaxtyping"})
