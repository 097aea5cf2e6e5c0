"""The scripts import one another by name, as Python does for a script's own folder."""

import sys
from pathlib import Path

import pytest

from memory.supervised.trainer import computes_bfloat16

# Behind the repository, as the scripts themselves have it: one of them is called `envs`, too.
BENCH = Path(__file__).parents[3] / "scripts/bench"
for folder in (BENCH, *(BENCH / name for name in ("gpu", "mann_rl", "peers", "scaling"))):
    sys.path.append(str(folder))


@pytest.fixture
def bfloat16():
    """Skips where PyTorch's own LSTM cannot compute in it: on CPUs without AVX-512."""
    if not computes_bfloat16("cpu"):
        pytest.skip("this CPU does not multiply in bfloat16")
