"""What is read of a trace, and drawn."""

import json
import sys

import pytest


def event(name, begun, took, cat="kernel"):
    return {"ph": "X", "name": name, "ts": begun + 1, "dur": took, "cat": cat}


@pytest.fixture
def trace(tmp_path):
    events = [
        event("vectorized_elementwise_kernel", 3000, 500),
        event("aten::mm", 0, 9000, cat="cpu_op"),
        event("sm80_xmma_gemm_f32", 1000, 1500),
        event("Memcpy HtoD", 500, 250, cat="gpu_memcpy"),
        event("layer_norm_kernel", 4000, 100),
    ]
    file = tmp_path / "update.json"
    file.write_text(json.dumps({"traceEvents": events}))
    return file


def test_work_of_the_gpu_is_read_in_order_from_its_first_on(trace):
    import gpu_timeline

    assert gpu_timeline.kernels(trace) == [
        (0, 0.25, "copies"),
        (0.5, 1.5, "products and convolutions"),
        (2.5, 0.5, gpu_timeline.REST),
        (3.5, 0.1, "sums and norms"),
    ]


def test_traces_are_drawn_and_others_refused(trace, monkeypatch, tmp_path, capsys):
    import gpu_timeline

    out = tmp_path / "timeline.png"
    monkeypatch.setattr(sys, "argv", ["gpu_timeline.py", str(trace), "--out", str(out)])
    gpu_timeline.main()
    assert out.read_bytes().startswith(b"\x89PNG")
    trace.write_text('{"traceEvents": []}')
    with pytest.raises(SystemExit):
        gpu_timeline.main()
    assert "the GPU did nothing" in capsys.readouterr().err
