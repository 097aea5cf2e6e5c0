"""The measurement of a GPU: all of its code runs on a CPU, with nothing captured."""

import json
import sys
from types import SimpleNamespace

import pytest
from torch.autograd import DeviceType  # pyright: ignore[reportPrivateImportUsage]

from memory import LSTMConfig, RMCConfig
from memory.kernels import available


def run(monkeypatch, *flags):
    import gpu

    monkeypatch.setattr(sys, "argv", ["gpu.py", *map(str, flags)])
    gpu.main()


def test_each_way_is_timed_and_traced_for_each_core_and_precision(tmp_path, monkeypatch, bfloat16):
    small = ("--trajectories", 3, "--unroll", 2, "--rounds", 1, "--seconds", 1e-6)
    out, traces = tmp_path / "gpu.json", tmp_path / "traces"
    precisions = ("--precisions", "float32", "bfloat16")
    device = ("--device", "cpu", "--out", out, "--traces", traces)
    run(monkeypatch, *device, *precisions, *small, "--cores", "lstm", "rmc")
    rows = json.loads(out.read_text())["rows"]
    assert [(row["core"], row["precision"]) for row in rows] == [
        (core, precision) for core in ("lstm", "rmc") for precision in ("float32", "bfloat16")
    ]
    for row in rows:
        assert row["learn, frames/s, captured"] > 0 and row["learn, frames/s, eager"] > 0
        assert ("act, captured to eager" in row) == (row["precision"] == "float32")
    assert "traceEvents" in json.loads((traces / "rmc-3-bfloat16-learn-captured.json").read_text())


SMALL = {"lstm": LSTMConfig(hidden=8), "rmc": RMCConfig(slots=1, heads=1, units=8)}


@pytest.mark.parametrize("core", ["lstm", pytest.param("rmc", marks=pytest.mark.slow)])
def test_kernels_are_compared_and_timed_beside_the_other_ways(
    core, tmp_path, monkeypatch, bfloat16
):
    import gpu

    monkeypatch.setenv(available.INTERPRETER, "1")
    if reason := available.why_no_kernels("cpu"):
        pytest.skip(reason)
    monkeypatch.setattr(gpu, "NETWORKS", SMALL)
    monkeypatch.setattr(gpu, "SETTLED", 1)
    monkeypatch.setattr(gpu, "FEATURES", 4)
    small = ("--trajectories", 2, "--unroll", 2, "--rounds", 1, "--seconds", 1e-6)
    precisions = ("--precisions", "float32", "bfloat16")
    device = ("--device", "cpu", "--out", tmp_path / "gpu.json")
    run(monkeypatch, *device, *precisions, *small, "--cores", core)
    full, halves = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert 0 < full["triton, error"] < 2e-5
    for name in ("act", "learn"):
        ratio = full[f"{name}, ms, captured"] / full[f"{name}, ms, triton"]
        assert full[f"{name}, triton to captured"] == pytest.approx(ratio, rel=1e-2)
    assert "learn, ms, captured" in halves and not any("triton" in key for key in halves)


def test_without_triton_its_way_is_left_out_with_a_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(available.INTERPRETER, raising=False)
    small = ("--trajectories", 2, "--unroll", 2, "--rounds", 1, "--seconds", 1e-6)
    device = ("--device", "cpu", "--out", tmp_path / "gpu.json", "--precisions", "float32")
    run(monkeypatch, *device, *small, "--cores", "lstm")
    (row,) = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert "learn, ms, captured" in row and not any("triton" in key for key in row)
    assert "without triton: " in capsys.readouterr().err


def test_a_call_counts_until_it_has_taken_some_time(monkeypatch):
    import gpu

    clock = iter([0.0, 2.0, 4.0, 6.0, 6.0])
    monkeypatch.setattr(gpu.time, "perf_counter", lambda: next(clock))
    assert gpu.time_of(lambda: None, "cpu", 5.0) == 2.0


def test_the_time_of_a_kernel_counts_once():
    import gpu

    launch = SimpleNamespace(device_type=DeviceType.CPU, self_device_time_total=3e6)
    kernel = SimpleNamespace(device_type=DeviceType.CUDA, self_device_time_total=3e6)
    assert gpu.device_seconds([launch, kernel]) == 3


def test_without_a_gpu_it_says_so(tmp_path, monkeypatch, capsys):
    import gpu

    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        run(monkeypatch, "--out", tmp_path / "gpu.json")
    assert "--device cuda: PyTorch finds no CUDA device here" in capsys.readouterr().err
