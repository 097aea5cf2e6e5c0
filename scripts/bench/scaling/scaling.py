"""Growth of cost with actors, workers, length of an unroll, slots and size of the core.

    python scripts/bench/scaling/scaling.py --out docs/results/scaling.csv

First the parts, in this process, on one thread, in CPU time: a step of the environments of all
actors, a step of all actors, an update. The expected cost of environments is proportional to the
number of actors, that of acting and learning to their operations, counted in plain PyTorch. The
expected curve equals the measured one at the largest value.

Then whole runs of `scripts/impala.py` at steady state. Frames per second should not depend on
actors, workers or unroll; the expected rate is the bound of `throughput.py`, in which all CPUs only
act and learn.

Measured and expected slopes on log axes are printed as a table. The table, the figure and the
conditions are written beside the CSV.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from agents.runs.process import prepare

prepare()

import torch
from scaling_parts import SIZES, cpu_rate, environment, parts
from scaling_report import Line, draw, slope, table, write
from scaling_runs import lines_of, watch_all

from agents.runs.versions import versions


def main() -> None:
    """Measure parts, then runs; write the results after each."""
    asked = arguments()
    torch.set_num_threads(1)
    conditions = {"versions": versions(), "load": os.getloadavg()}
    base = ("--env", asked.env)
    lines = [environment(base)]
    for core in asked.cores:
        lines += parts((*base, "--core", core), core, asked.calls)
    report(lines, conditions, asked.out)
    base = (*base, "--core", asked.run_core)
    bound = (os.cpu_count() or 1) * cpu_rate(base, asked.calls)
    rates = watch_all(base, bound, asked.rounds, asked.warm_up, asked.seconds)
    lines += lines_of(rates, asked.run_core, bound)
    report(lines, conditions, asked.out)
    print(table(lines))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV; figure and slopes beside it")
    parser.add_argument("--env", default="boxworld")
    parser.add_argument("--cores", nargs="+", choices=SIZES, default=[*SIZES])
    parser.add_argument("--run-core", choices=SIZES, default="lstm", help="core of the whole runs")
    parser.add_argument("--calls", type=int, default=5, help="of a part, for a median")
    parser.add_argument("--rounds", type=int, default=1, help="over the whole runs, for a median")
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds not counted")
    parser.add_argument("--seconds", type=float, default=6.0, help="seconds that count, at least")
    asked = parser.parse_args()
    if min(asked.calls, asked.rounds) < 1 or asked.warm_up < 0 or asked.seconds <= 0:
        parser.error("--calls, --rounds at least 1; --warm-up at least 0; --seconds above 0")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    return asked


def report(lines: Sequence[Line], conditions: dict[str, Any], out: Path) -> None:
    """The CSV, and beside it the figure and the slopes."""
    write(lines, out)
    draw(lines, out.with_suffix(".png"))
    slopes = {
        f"{line.name}, {line.unit}, against {line.axis}": {
            kind: round(slope(line.values, figures), 3)
            for kind, figures in (("measured", line.measured), ("expected", line.expected))
        }
        for line in lines
    }
    out.with_suffix(".json").write_text(
        json.dumps(conditions | {"slopes": slopes}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
