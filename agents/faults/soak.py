"""A long run: slopes of memory, file descriptors and shared memory."""

import json
import time
from collections import defaultdict
from pathlib import Path
from statistics import linear_regression
from typing import Any

from agents.faults.processes import (
    FAULTY,
    Program,
    allocated_mb,
    descendants,
    num_files,
    shared_mb,
)
from agents.faults.row import Row
from agents.faults.soak_figure import draw

PARTS = {
    "raylet/raylet ": "raylet",  # whose command line names its agents
    "gcs/gcs_server ": "gcs",
    "ray::_Worker": "worker",
    "ray::DashboardAgent": "dashboard agent",
    "ray::RuntimeEnvAgent": "environment agent",
    "/log_monitor.py": "log monitor",
    "/monitor.py": "monitor",
    "/dashboard.py": "dashboard",
}
"""Parts of command lines, and what the processes are."""
LARGEST_SLOPE = 1.0
"""MB an hour, for each process."""


def soak(folder: Path, minutes: float, interval: float = 5.0) -> Row:
    """Measure a run of a worker whose environments take 20 ms for each step."""
    options = f"{FAULTY} --env.kwargs.seconds 0.02 --workers 1"
    with Program(folder, "impala.py", options) as run:
        run.wait_for_updates()
        samples = _sample(run, 60 * minutes, interval)
        return row_of(samples, run.lines())


def row_of(samples: list[dict[str, float]], metrics: list[dict[str, Any]]) -> Row:
    """The slopes of samples; the first half, in which caches fill, is not counted.

    Those of Ray's raylet and gcs_server fill for some 25 minutes, and faster if a worker is faster.

    Args:
        metrics: lines of the run's log.
    """
    frames = metrics[-1]["frame"]
    rates = [line["speed/frames_per_second"] for line in metrics]
    counted = samples[len(samples) // 2 :]
    slopes = {n: slope_per_hour(counted, n) for n in counted[0] if n.endswith("MB")}
    third = len(rates) // 3
    drift = sum(rates[-third:]) / sum(rates[third : 2 * third]) - 1
    figures = ", ".join(
        f"{name} {counted[0][name]:.4g} to {counted[-1][name]:.4g} ({slope:+.3g}/h)"
        for name, slope in slopes.items()
    )
    files = sum(counted[-1][name] - counted[0][name] for name in counted[0] if "files" in name)
    minutes = 60 * (samples[-1]["hours"] - samples[0]["hours"])
    return Row(
        f"soak of {minutes:.0f} minutes, one worker",
        f"{frames:,} frames; {figures}; {files:+g} files; speed {drift:+.1%}",
        f"each process at most {LARGEST_SLOPE:g} MB/h, no file descriptor more, at least one "
        "more update",
        max(slopes.values()) <= LARGEST_SLOPE and files <= 0 and frames > 0,
        draw(samples),
    )


def slope_per_hour(samples: list[dict[str, float]], name: str) -> float:
    """Slope of the least squares line through samples of a figure."""
    return linear_regression([s["hours"] for s in samples], [s[name] for s in samples]).slope


def _sample(run: Program, seconds: float, interval: float) -> list[dict[str, float]]:
    samples: list[dict[str, float]] = []
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        run.check()
        sample = {"hours": passed / 3600} | _usage(run.process.pid)
        samples.append(sample)
        with (run.folder / "samples.jsonl").open("a") as log:
            log.write(json.dumps(sample) + "\n")
        time.sleep(interval)
    return samples


def _usage(driver: int) -> dict[str, float]:
    """Memory and file descriptors of the driver and of the other parts of a run."""
    usage: dict[str, float] = defaultdict(float)
    members = {driver: "driver"} | {
        number: next((part for words, part in PARTS.items() if words in name), "others")
        for number, name in descendants(driver).items()
    }
    for number, part in members.items():
        usage[f"{part} MB"] += allocated_mb(number)
        usage["shared MB"] += shared_mb(number)
        usage[f"{part} files"] += num_files(number)
    return dict(usage)
