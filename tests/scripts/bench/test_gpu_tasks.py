"""The measurement of tasks on a GPU: all of its code runs on a CPU, with nothing captured."""

import json
import sys

import pytest


def run(monkeypatch, *flags):
    import gpu_tasks

    monkeypatch.setattr(sys, "argv", ["gpu_tasks.py", *map(str, flags)])
    gpu_tasks.main()


def test_both_ways_are_timed_for_each_run_and_precision(tmp_path, monkeypatch, bfloat16):
    out = tmp_path / "gpu_tasks.json"
    small = ("--batch", 2, "--rounds", 1, "--seconds", 1e-6, "--precisions", "float32", "bfloat16")
    runs = ("nth farthest, lstm", "delayed recall, gru")
    monkeypatch.setattr("memory.supervised.trainer.computes_bfloat16", lambda device: True)
    run(monkeypatch, "--device", "cpu", "--out", out, "--runs", *runs, *small)
    rows = json.loads(out.read_text())["rows"]
    assert [(row["run"], row["precision"]) for row in rows] == [
        (name, precision) for name in runs for precision in ("float32", "bfloat16")
    ]
    for row in rows:
        ratio = row["update, ms, eager"] / row["update, ms, captured"]
        assert row["captured to eager"] == pytest.approx(ratio, rel=1e-2)
        assert row["sequences"] == 2


def test_without_a_gpu_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        run(monkeypatch, "--out", tmp_path / "gpu_tasks.json")
    assert "--device cuda: PyTorch finds no CUDA device here" in capsys.readouterr().err
