"""Fixtures of tests of compiled code; `CODE` of a test module is the module that is tested."""

import pytest
import torch


@pytest.fixture(autouse=True)
def compiled(request: pytest.FixtureRequest) -> None:
    """Skips where the code cannot be compiled."""
    module = getattr(request.module, "CODE", None)
    if module and module.code.missing:
        pytest.skip(module.code.missing)


@pytest.fixture
def halves(request: pytest.FixtureRequest) -> None:
    """Skips where the code does not multiply in bfloat16."""
    if not request.module.CODE.code.has_halves:
        pytest.skip("this CPU has no avx512_bf16")


@pytest.fixture
def threads():
    """Sets the number of threads, until the end of the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
