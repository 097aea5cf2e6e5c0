"""A long run: slopes of memory, file descriptors and shared memory."""

import json
import time
from collections import defaultdict
from pathlib import Path
from statistics import linear_regression

from agents.faults.processes import (
    FAULTY,
    Program,
    descendants,
    num_files,
    resident_mb,
    shared_mb,
)
from agents.faults.row import Row

PARTS = {"ray::_Worker": "workers", "raylet/raylet": "raylet", "gcs_server": "gcs"}
"""Parts of command lines, and what the processes are."""
LARGEST_SLOPE = 1.0
"""MB an hour, for each process."""


def soak(folder: Path, minutes: float, interval: float = 5.0) -> Row:
    """Measure a run of two workers whose environments take 4 ms for each step.

    The first third of the time, in which caches fill, is not counted.
    """
    options = f"{FAULTY} --env.kwargs.seconds 0.004 --workers 2"
    with Program(folder, "impala.py", options) as run:
        run.wait_for_updates()
        samples = _sample(run, 60 * minutes, interval)
        frames = run.lines()[-1]["frame"]
        rates = [line["speed/frames_per_second"] for line in run.lines()]
    counted = samples[len(samples) // 3 :]
    slopes = {name: slope_per_hour(counted, name) for name in counted[0] if name != "hours"}
    third = len(rates) // 3
    drift = sum(rates[-third:]) / sum(rates[third : 2 * third]) - 1
    figures = ", ".join(
        f"{name} {counted[0][name]:.4g} to {counted[-1][name]:.4g} ({slope:+.3g}/h)"
        for name, slope in slopes.items()
    )
    memory = [slope for name, slope in slopes.items() if name.endswith("MB")]
    files = [counted[-1][name] - counted[0][name] for name in slopes if name.endswith("files")]
    return Row(
        f"soak of {minutes:g} minutes, two workers",
        f"{frames:,} frames; {figures}; speed {drift:+.1%}",
        f"each process at most {LARGEST_SLOPE:g} MB/h, no file descriptor more, at least one "
        "more update",
        max(memory) <= LARGEST_SLOPE and max(files) <= 0 and frames > 0,
    )


def slope_per_hour(samples: list[dict[str, float]], name: str) -> float:
    """Slope of the least squares line through samples of a figure."""
    return linear_regression([s["hours"] for s in samples], [s[name] for s in samples]).slope


def _sample(run: Program, seconds: float, interval: float) -> list[dict[str, float]]:
    samples: list[dict[str, float]] = []
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        run.check()
        sample = {"hours": passed / 3600, "/dev/shm MB": shared_mb()} | _usage(run.process.pid)
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
        usage[f"{part} MB"] += resident_mb(number)
        usage[f"{part} files"] += num_files(number)
    return dict(usage)
