"""Frames per second and GPU utilisation of whole runs on a machine with one GPU.

    python scripts/bench/gpu/gpu_runs.py --out docs/results/gpu_runs.json

Each run of `scripts/impala.py` is measured at steady state; the utilisation is read from nvidia-smi
twice a second while frames are counted. If a run fails, its error is printed and written to the
results.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from steady import Ended, watch_training

RUNS = (
    "--core lstm --workers 0 --actors 512 --batch 512 --acting-device cuda",
    "--core rmc --workers 0 --actors 2048 --batch 2048 --acting-device cuda",
    "--core rmc --workers 2 --actors 2048 --batch 1024 --acting-device cuda",
    "--core lstm --workers 4 --actors 4096 --batch 1024 --acting-device cuda",
    "--core rmc --workers 4 --actors 4096 --batch 1024 --acting-device cuda",
    "--core lstm --core.fused triton --workers 4 --actors 4096 --batch 1024 --acting-device cuda",
    "--core rmc --core.fused triton --workers 4 --actors 4096 --batch 1024 --acting-device cuda",
    "--core rmc --workers 13 --actors 1664 --batch 256",
    "--core lstm --workers 13 --actors 1664 --batch 256",
)
QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits")


class Gauge:
    """Readings of nvidia-smi, twice a second, until it is closed."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def last(self, seconds: float) -> tuple[float, int]:
        """The mean utilisation of the last seconds, %, and the memory in use now, MiB."""
        recent = self.seen[-max(1, round(2 * seconds)) :]
        return statistics.mean(used for used, _ in recent), recent[-1][1]

    def close(self) -> None:
        """Stop reading."""
        self.ended.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.ended.wait(0.5):
            output = subprocess.run(QUERY, capture_output=True, text=True, check=True).stdout
            used, memory = output.splitlines()[0].split(",")
            self.seen.append((int(used), int(memory)))


def main() -> None:
    """Measure every run, and write the results after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--env", default="boxworld")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds not counted")
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds that count")
    asked = parser.parse_args()
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    if shutil.which(QUERY[0]) is None:
        parser.error("nvidia-smi: not found; these runs need a GPU")
    gauge, rows = Gauge(), []
    for flags in RUNS:
        rows.append({"flags": flags, **measured(flags, asked, gauge)})
        print(json.dumps(rows[-1]), flush=True)
        asked.out.write_text(json.dumps(rows, indent=1) + "\n")
    gauge.close()


def measured(flags: str, asked: argparse.Namespace, gauge: Gauge) -> dict[str, Any]:
    """The figures of one run, or its error."""
    try:
        run = watch_training(["--env", asked.env, *flags.split()], asked.warm_up, asked.seconds)
    except Ended as error:
        return {"error": str(error)}
    used, memory = gauge.last(asked.seconds)
    return {
        "frames_per_second": round(run.frames_per_second),
        "frames_per_cpu_second": round(run.frames_per_cpu_second),
        "gpu_utilisation_percent": round(used, 1),
        "gpu_memory_mib": memory,
        "processes": run.processes,
    }


if __name__ == "__main__":
    main()
