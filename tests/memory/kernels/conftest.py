"""Kernels run in Triton's interpreter: on the CPU, one operation after the other."""

import pytest

from memory.kernels import available


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns it on; skips where Triton is not installed."""
    monkeypatch.setenv(available.INTERPRETER, "1")
    if reason := available.why_no_kernels("cpu"):
        pytest.skip(reason)
