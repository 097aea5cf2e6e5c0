"""Arrows between packages and their folders point one way; few modules know Ray; folders are small.

A folder may import itself and the folders that stand beside it in the tables below.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {"memory": {"memory"}, "envs": {"envs"}, "agents": {"agents", "envs", "memory"}}
OURS = {*MAY_IMPORT, "scripts", "tests", "configs"}
PACKAGES = sorted(MAY_IMPORT)
MOST_FILES = 20
KNOW_RAY = {
    "agents/cluster/nodes.py",
    "agents/cluster/process_group.py",
    "agents/cluster/ray_processes.py",
    "agents/cluster/ray_session.py",
    "agents/cluster/store.py",
    "agents/impala/distributed/ray_worker.py",
    "agents/impala/distributed/ray_workers.py",
    "agents/impala/distributed/resources.py",
    "agents/benchmark/over_ray.py",
    "agents/faults/nodes.py",
    "agents/benchmark/sweep.py",
}

AGENTS = {
    "agents.cli": set[str](),
    "agents.runs": {"agents.cli"},
    "agents.cluster": {"agents.cli"},
    "agents.networks": {"agents.cli"},
    "agents.impala": {"agents.cli", "agents.runs", "agents.cluster", "agents.networks"},
    "agents.supervised": {"agents.cli", "agents.runs", "agents.cluster"},
    "agents.evaluation": {"agents.cli", "agents.runs", "agents.networks", "agents.impala"},
}
AGENTS["agents.benchmark"] = {*AGENTS}
AGENTS["agents.faults"] = {*AGENTS} - {"agents.benchmark"}
AGENTS["agents.programs"] = {*AGENTS}
AGENTS["agents.api"] = {*AGENTS}
MEMORY = {
    "memory": {"memory.cores"},  # its registry names every core
    "memory.layers": {"memory"},
    "memory.fused": set[str](),
    "memory.kernels": {"memory.fused"},
    "memory.cores": {"memory", "memory.layers", "memory.fused", "memory.kernels"},
}
SUPERVISED = {
    "memory.supervised.data": {"memory"},
    "memory.supervised.tasks": {"memory", "memory.supervised", "memory.supervised.data"},
    # Its registry names every task.
    "memory.supervised": {"memory", "memory.layers", "memory.cores", "memory.supervised.tasks"},
}
FOLDERS = AGENTS | MEMORY | SUPERVISED


def files(package: str) -> list[Path]:
    """Every module of a package; an empty list would let each test below pass for nothing."""
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"no Python file under {package}/"
    return found


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module is not None
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if is_module(name) else node.module for name in names)


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def folder_of(module: str) -> str | None:
    """The longest name in the tables that a module lies in."""
    found = [name for name in FOLDERS if module == name or module.startswith(f"{name}.")]
    return max(found, key=len, default=None)


def users(package: str, names: set[str]) -> set[str]:
    """Files of a package that import one of the top-level names."""
    return {
        p.relative_to(ROOT).as_posix()
        for p in files(package)
        if names & {name.split(".")[0] for name in imports(p)}
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_between_packages_point_one_way(package: str) -> None:
    assert not users(package, OURS - MAY_IMPORT[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_between_folders_point_one_way(package: str) -> None:
    wrong = {
        f"{module_of(path)} imports {name}"
        for path in files(package)
        for name in imports(path)
        if (own := folder_of(module_of(path))) and (other := folder_of(name)) and own != other
        if own.split(".")[0] == other.split(".")[0] and other not in FOLDERS[own]
    }
    assert not wrong


def test_every_folder_of_agents_stands_in_the_table() -> None:
    found = {".".join(module_of(path).split(".")[:2]) for path in files("agents")}
    assert found - {"agents", "agents.__main__"} == set(AGENTS)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_one_another_in_a_circle(package: str) -> None:
    modules = {module_of(path): path for path in files(package)}
    # A package's __init__ is a registry above what it names; whoever imports a name from it at run
    # time would close a circle that the interpreter has already resolved.
    graph = {
        module: {name for name in imports(path) if name in modules and name != module}
        for module, path in modules.items()
        if path.name != "__init__.py"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("package", [*PACKAGES, "tests", "scripts"])
def test_no_folder_has_more_files_than_one_can_take_in(package: str) -> None:
    folders = {path.parent for path in files(package)}
    counts = {f.relative_to(ROOT).as_posix(): len(list(f.glob("*.py"))) for f in folders}
    assert not {name: count for name, count in counts.items() if count > MOST_FILES + 1}


def test_few_modules_know_ray() -> None:
    found = set().union(*(users(package, {"ray"}) for package in PACKAGES))
    assert found <= KNOW_RAY


def test_the_cores_need_torch_alone() -> None:
    allowed = {"memory", "torch", "jaxtyping", *sys.stdlib_module_names}
    others = {
        module_of(path): names
        for path in files("memory")
        if not module_of(path).startswith("memory.supervised")
        if (names := {name.split(".")[0] for name in imports(path)} - allowed)
    }
    kernels = {name for name in others if name.startswith("memory.kernels.")}
    assert all(others.pop(name) == {"triton"} for name in kernels)  # which imports them if it can
    assert not others


def test_the_environments_start_without_torch() -> None:
    assert not users("envs", {"torch", "jaxtyping"})


def test_every_path_of_the_type_checker_s_settings_exists():
    """It ignores those that do not."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    checker = settings["tool"]["pyright"]
    paths = [path for key in ("include", "exclude", "ignore", "strict") for path in checker[key]]
    for environment in checker["executionEnvironments"]:
        paths += [environment["root"], *environment["extraPaths"]]
    assert paths and not [path for path in paths if not (ROOT / path).exists()]
