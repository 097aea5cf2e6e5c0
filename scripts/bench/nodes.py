"""Frames per second of one run on one, two and four nodes with the same CPUs, and of two learners.

    python scripts/bench/nodes.py --rounds 2 --out docs/results/nodes.csv

The nodes are processes of one machine: what is measured is the cost of spreading a run over them,
not the gain of more machines. Each line is one run, measured after its workers have started. A run
before them, which is not measured, compiles.
"""

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from agents.faults.nodes import local_cluster
from agents.faults.processes import Program
from agents.runs.versions import versions

RUN = (
    "--env boxworld --config boxworld-easy --core lstm --actors 32 --batch 16 --log-seconds 1 "
    "--no-ship"  # nodes find the sources where they are, with what was compiled before
)
LAYOUTS = {
    "1 node of 4 CPUs": ((4,), "--workers 3"),
    "2 nodes of 2 CPUs": ((2, 2), "--workers 3"),
    "4 nodes of 1 CPU": ((1, 1, 1, 1), "--workers 3"),
    "1 learner, 2 workers": ((4,), "--workers 2"),
    "2 learners, 2 workers": ((4,), "--workers 2 --learners 2"),
}
"""CPUs of the nodes, and the options of the run."""
COLUMNS = ("layout", "round", "frames_per_second", "learner", "commit")


def main() -> None:
    """Measure each layout in turn, and write a table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--seconds", type=float, default=20.0, help="seconds that count")
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--only", default="", help="layouts with this text in the name")
    asked = arguments.parse_args()
    commit = str(versions().get("commit", ""))[:7]
    measure((4,), "--workers 3", 3.0)
    rows = []
    for number in range(asked.rounds):
        for layout, (cpus, options) in LAYOUTS.items():
            if asked.only not in layout:
                continue
            speed, busy = measure(cpus, options, asked.seconds)
            rows.append((layout, number, round(speed), round(busy, 2), commit))
            print(*rows[-1], flush=True)
    if asked.out:
        with asked.out.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])


def measure(cpus: tuple[int, ...], options: str, seconds: float) -> tuple[float, float]:
    """Frames per second of a run, and the share of its last second in which it learned."""
    here = {"PYTHONPATH": str(ROOT)}
    with (
        local_cluster(cpus[0], env_vars=here) as cluster,
        tempfile.TemporaryDirectory() as folder,
    ):
        for count in cpus[1:]:
            cluster.add_node(num_cpus=count, env_vars=here)
        options = f"{RUN} {options} --ray-address {cluster.address}"
        with Program(Path(folder), "impala.py", options) as run:
            run.wait_for_updates(15)
            first = run.lines()[-1]
            time.sleep(seconds)
            last = run.lines()[-1]
    return rate(first, last), last["speed/learner_utilisation"]


def rate(first: dict, last: dict) -> float:
    """Frames per second between two lines of metrics."""
    return (last["frame"] - first["frame"]) / (last["time"] - first["time"])


if __name__ == "__main__":
    main()
