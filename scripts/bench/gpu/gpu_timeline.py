"""Draws the kernels of a GPU in one update, from the traces of `gpu.py --traces`.

    python scripts/bench/gpu/gpu_timeline.py runs/gpu/*-learn-*.json --out FIGURE.png

One row per trace and one bar per kernel, coloured by kind; white where the GPU was idle.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

KINDS = {
    "products and convolutions": r"gemm|cutlass|cudnn|conv",
    "copies": r"memcpy|memset|copy",
    "sums and norms": r"reduce|norm|softmax",
}
REST = "elementwise and others"
ON_THE_GPU = ("kernel", "gpu_memcpy", "gpu_memset")


class Kernel(NamedTuple):
    """One kernel or copy of the GPU; milliseconds since the first."""

    started: float
    took: float
    kind: str


def main() -> None:
    """Read all traces and draw them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    rows = {}
    for trace in asked.traces:
        try:
            rows[trace.stem] = kernels(trace)
        except (OSError, ValueError, KeyError) as error:
            parser.error(f"{trace}: no trace of a GPU: {error}")
    draw(rows, asked.out)


def kernels(trace: Path) -> list[Kernel]:
    """Kernels of a trace, in order.

    Raises:
        ValueError: there are none, or the file is not JSON.
    """
    events = json.loads(trace.read_text())["traceEvents"]
    work = sorted((e for e in events if e.get("cat") in ON_THE_GPU), key=lambda e: e["ts"])
    if not work:
        raise ValueError("the GPU did nothing")
    first = work[0]["ts"]
    return [Kernel((e["ts"] - first) / 1e3, e["dur"] / 1e3, kind_of(e["name"])) for e in work]


def kind_of(name: str) -> str:
    """Kind of a kernel, from its name."""
    return next((kind for kind, words in KINDS.items() if re.search(words, name, re.I)), REST)


def draw(rows: dict[str, Sequence[Kernel]], out: Path) -> None:
    """Draw one row per trace, with a common origin."""
    figure, axes = plt.subplots(figsize=(11, 1.2 + 0.7 * len(rows)), layout="constrained")
    for place, row in enumerate(rows.values()):
        for number, kind in enumerate((*KINDS, REST)):
            bars = [(k.started, k.took) for k in row if k.kind == kind]
            label = kind if place == 0 else None
            axes.broken_barh(bars, (place - 0.35, 0.7), facecolors=f"C{number}", label=label)
        end = row[-1].started + row[-1].took
        share = sum(k.took for k in row) / end
        axes.annotate(f" {len(row):,} kernels, busy {share:.0%}", (end, place), va="center")
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    longest = max(row[-1].started + row[-1].took for row in rows.values())
    axes.set_xlim(0, 1.25 * longest)
    axes.set_xlabel("milliseconds, under the profiler")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.25), ncols=4, frameon=False)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
