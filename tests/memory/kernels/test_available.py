"""Where kernels compute, and what is said where they do not."""

import logging
import sys
from types import SimpleNamespace

import pytest
import torch

from memory import LSTM, RMCConfig, StackedLSTM
from memory.kernels import available


@pytest.fixture
def triton(monkeypatch):
    """Pretends that a module is Triton."""

    def pretend(module):
        available._why_no_triton.cache_clear()
        monkeypatch.setitem(sys.modules, "triton", module)

    yield pretend
    available._why_no_triton.cache_clear()


@pytest.mark.parametrize(
    ("module", "device", "message"),
    [
        (None, "cuda", r"fused=triton: Triton cannot be imported \(.*\); use fused=auto"),
        (SimpleNamespace(__version__="3.2.0"), "cuda", "Triton 3.2.0 is too old, 3.3 is needed"),
        (SimpleNamespace(__version__="3.10.1"), "cpu", "on a GPU, and the device is cpu; use"),
    ],
)
@pytest.mark.parametrize(
    "core",
    [
        LSTM(2, 3, "triton"),
        StackedLSTM(2, 3, 2, "triton"),
        RMCConfig(units=64, fused="triton").build((2,)),
    ],
)
def test_where_they_cannot_compute_the_option_is_refused(
    core, module, device, message, triton, monkeypatch
):
    monkeypatch.delenv(available.INTERPRETER, raising=False)
    triton(module)
    with pytest.raises(ValueError, match=message):
        core.check_device(device)


def test_a_gpu_and_the_interpreter_are_accepted(triton, monkeypatch):
    monkeypatch.delenv(available.INTERPRETER, raising=False)
    triton(SimpleNamespace(__version__="3.10.1"))
    core = LSTM(2, 3, "triton")
    core.check_device("cuda")
    monkeypatch.setenv(available.INTERPRETER, "1")
    core.check_device("cpu")
    triton(None)
    LSTM(2, 3, "auto").check_device("cuda")


def test_a_gpu_without_triton_computes_in_plain_pytorch_and_says_so_once(triton, caplog):
    triton(None)
    available._warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert "cannot be imported" in str(available.why_not_on("cuda"))
            available.why_not_on("cpu")
    assert caplog.text.count("fused=triton computes in plain PyTorch: Triton cannot be") == 1


@pytest.mark.parametrize(("asked", "used"), [("highest", "ieee"), ("high", "tf32")])
def test_matrices_are_multiplied_as_precisely_as_by_pytorch(asked, used):
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(asked)
        assert available.precision() == used
    finally:
        torch.set_float32_matmul_precision(before)


def test_other_types_and_devices_are_left_to_plain_code(monkeypatch):
    monkeypatch.setattr(available, "why_no_kernels", lambda _: None)
    one = torch.zeros(1)
    assert available.why_not_computed([one, one.double()]) == "torch.float64 on cpu"
    assert available.why_not_computed([one, one.to("meta")]) == "torch.float32 on meta"
    with torch.autocast("cpu"):
        assert available.why_not_computed([one]) == "autocast is on"
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert available.why_not_computed([one]) == "it is being compiled or exported"
