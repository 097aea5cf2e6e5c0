"""OpenMP's threads sleep while they wait, where that can still be set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POLICY = "import os; print(os.environ.get('OMP_WAIT_POLICY'))"


def python(code: str, **environment: str) -> tuple[str, str]:
    """Output and errors of a process without a wait policy, unless one is given."""
    kept = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=kept | {"OMP_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("first", ["import memory", "from agents import load_agent"])
def test_threads_sleep_where_the_package_is_imported_first(first: str) -> None:
    assert python(f"{first}; {POLICY}") == ("PASSIVE", "")


def test_the_users_policy_stays() -> None:
    assert python(f"import memory; {POLICY}", OMP_WAIT_POLICY="ACTIVE") == ("ACTIVE", "")


@pytest.mark.skipif(sys.platform != "linux", reason="measured on Linux")
def test_a_warning_says_once_that_it_is_too_late() -> None:
    output, errors = python(f"import torch, memory, memory.inspect; {POLICY}")
    assert output == "None"
    assert errors.count("RuntimeWarning: PyTorch was imported before memory") == 1
    assert "<string>:1" in errors  # the line of the import


def test_one_thread_does_not_wait() -> None:
    assert python("import torch, memory", OMP_NUM_THREADS="1") == ("", "")
