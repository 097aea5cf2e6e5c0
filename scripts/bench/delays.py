"""Accuracy against delay, from runs of image association: `python scripts/bench/delays.py`."""

import argparse
import csv
import json
import re
import sys
from pathlib import Path

Accuracies = dict[int, float]
"""Accuracy by delay."""


def main(argv: list[str]) -> int:
    """Draw the test accuracies of runs at other delays, and write them as a table."""
    parser = argparse.ArgumentParser("delays.py", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders with --task.test-delays")
    parser.add_argument("--out", type=Path, required=True, help="figure; a table goes beside it")
    asked = parser.parse_args(argv)
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    try:
        results = {run.name: read(run) for run in asked.runs}
    except ValueError as error:
        parser.error(str(error))
    write(asked.out.with_suffix(".csv"), {name: of for name, (of, _) in results.items()})
    draw(asked.out, results)
    return 0


def read(run: Path) -> tuple[Accuracies, dict[str, float]]:
    """Accuracies of a run, and the baselines of its task.

    Raises:
        ValueError: the run has not ended, or was tested at no other delay.
    """
    try:
        saved = json.loads((run / "results.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{run}: no results of a run that has ended: {error}") from None
    tests = {name: re.fullmatch(r"delay_(\d+)", name) for name in saved}
    found = {int(match[1]): saved[name]["accuracy"] for name, match in tests.items() if match}
    if not found:
        raise ValueError(f"{run} was tested at no other delay: --task.test-delays names some")
    return dict(sorted(found.items())), saved["baselines"]


def write(table: Path, results: dict[str, Accuracies]) -> None:
    """A row for each run and delay."""
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("run", "delay", "accuracy"))
        rows.writerows(
            (name, delay, f"{value:.4f}")
            for name, of in results.items()
            for delay, value in of.items()
        )


def draw(out: Path, results: dict[str, tuple[Accuracies, dict[str, float]]]) -> None:
    """A line for each run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    baselines: dict[str, float] = {}
    for name, (of, its_baselines) in results.items():
        axis.plot([*of], [*of.values()], "o-", label=name)
        baselines |= its_baselines
    for name, value in baselines.items():
        axis.axhline(value, color="gray", linestyle=":")
        axis.annotate(name, (1, value), xycoords=("axes fraction", "data"), fontsize=8, ha="right")
    axis.set(
        xlabel="frames of noise after each frame", ylabel="accuracy on the test", ylim=(0, 1.02)
    )
    axis.legend()
    axis.grid(alpha=0.3)
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
