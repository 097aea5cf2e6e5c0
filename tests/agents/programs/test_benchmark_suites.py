"""Every environment of MiniGrid and POPGym makes a short run, and some of bsuite and ALE do.

The suites have a virtual environment of their own, see docs/environments.md; without them these
tests are skipped.
"""

from importlib import import_module
from typing import Any

import gymnasium
import pytest

from agents.programs.impala import main
from agents.runs.checkpoint import load

SMALL = ["--core", "lstm", "--core.hidden", "16", "--workers", "0", "--learner-threads", "1"]
SMALL += ["--actors", "8", "--batch", "8", "--unroll", "25", "--frames", "2000"]
SUITES = {"minigrid": 170, "popgym": 48}
"""Modules all of whose environments are run, and the least number of these."""
OTHERS = [
    ("shimmy:bsuite/memory_len-v0", "--env.kwargs.memory_length", "10"),
    ("shimmy:bsuite/memory_size-v0", "--env.kwargs.num_bits", "3"),
    ("ale_py:ALE/Breakout-v5",),
    ("ale_py:ALE/Pong-v5", "--env.kwargs.obs_type", "grayscale"),
]


def ids_of(module: str) -> list[str]:
    """The ids whose environments are defined in a package; none if it is not installed."""
    try:
        gymnasium.register_envs(import_module(module))
    except ImportError:
        return []
    specs = gymnasium.registry.values()
    return [spec.id for spec in specs if str(spec.entry_point).startswith(f"{module}.")]


def cases() -> list[Any]:
    ids = [(module, id) for module in SUITES for id in ids_of(module) or ["all"]]
    whole = [pytest.param(f"{module}:{id}", [], id=id) for module, id in ids]
    return whole + [pytest.param(name, flags, id=name) for name, *flags in OTHERS]


def skip_without_its_files(name: str) -> None:
    """Six environments of MiniGrid read pictures that its release does not contain."""
    if "WFC" in name:
        try:
            gymnasium.make(name).reset()
        except FileNotFoundError as error:
            pytest.skip(f"its package lacks {error.filename}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "flags"), cases())
def test_an_environment_makes_a_run_of_two_thousand_frames(name, flags, tmp_path):
    module = name.partition(":")[0]
    pytest.importorskip(module, reason=f"no {module}: pip install -e '.[benchmarks]'")
    skip_without_its_files(name)
    flags = ["--env", "gymnasium", "--env.id", name, *flags, "--run-dir", str(tmp_path / "run")]
    assert main([*flags, *SMALL]) == 0
    assert load(tmp_path / "run" / "checkpoints").frame >= 2000


@pytest.mark.slow
@pytest.mark.parametrize(("module", "least"), SUITES.items())
def test_no_environment_of_a_suite_is_left_out(module, least):
    pytest.importorskip(module, reason=f"no {module}: pip install -e '.[benchmarks]'")
    assert len(ids_of(module)) >= least
