"""Results of `peers.py`: medians, ratios within a round, the page's table and the figure."""

import statistics
from pathlib import Path

from drivers.systems import NOT_TRIED, SYSTEMS

OURS = "engram"
METRICS = ("frames_per_second", "frames_per_cpu_second")
BEGIN, END = (
    "<!-- measured: written by scripts/bench/peers/peers.py -->",
    "<!-- end of measured -->",
)
GOALS = (
    ("engram", "sample-factory", "frames_per_second", 2.0),
    ("engram", "sample-factory", "frames_per_cpu_second", 2.0),
    ("engram", "sample-factory-64", "frames_per_second", 2.0),
    ("engram", "sample-factory-64", "frames_per_cpu_second", 2.0),
    ("engram", "pufferlib", "frames_per_second", 1.0),
    ("engram", "pufferlib", "frames_per_cpu_second", 1.0),
    ("engram", "pufferlib-96", "frames_per_cpu_second", 1.0),
    ("engram-local-1", "pufferlib", "frames_per_second", 1.0),
    ("engram-local-1", "pufferlib", "frames_per_cpu_second", 1.0),
    ("engram-local", "pufferlib-2", "frames_per_second", 1.0),
)
"""Our system, the other system, the metric, and the required ratio of ours to theirs."""

Row = dict[str, str]


def ratio(rows: list[Row], env: str, ours: str, theirs: str, metric: str) -> float | None:
    """Median of ours divided by theirs over the rounds with both; None if there are none."""
    by_round: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["env"] == env and not row["error"]:
            by_round.setdefault(row["round"], {})[row["system"]] = float(row[metric])
    pairs = [r[ours] / r[theirs] for r in by_round.values() if ours in r and theirs in r]
    return statistics.median(pairs) if pairs else None


def median(rows: list[Row], env: str, system: str, field: str) -> float | None:
    """Median over the rounds."""
    values = [float(row[field]) for row in _of(rows, env, system) if not row["error"]]
    return statistics.median(values) if values else None


def page(rows: list[Row], absent: dict[str, str]) -> str:
    """The measured part of the page: a table for each environment, the goals, missing systems."""
    envs = list(dict.fromkeys(row["env"] for row in rows))
    parts = [_table(rows, env) for env in envs]
    parts += [_goals(rows, envs), _absent(absent | NOT_TRIED)]
    return "\n\n".join(part for part in parts if part)


def insert(text: str, measured: str) -> str:
    """A page with its measured part replaced."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{measured}\n\n{END}{rest.split(END)[1]}"


def draw(rows: list[Row], file: Path) -> None:
    """Frames per second and per CPU second: one point per round, a bar for the median."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    envs = list(dict.fromkeys(row["env"] for row in rows))
    names = [name for name in SYSTEMS if any(row["system"] == name for row in rows)]
    figure, axes = pyplot.subplots(
        len(envs), 2, figsize=(10, 0.6 + 0.42 * len(names) * len(envs)), squeeze=False, sharey=True
    )
    for panels, env in zip(axes, envs, strict=True):
        for axis, metric in zip(panels, METRICS, strict=True):
            for y, name in enumerate(names):
                good = [float(r[metric]) for r in _of(rows, env, name) if not r["error"]]
                colour = "tab:blue" if SYSTEMS[name].peer is None else "tab:gray"
                axis.barh(y, statistics.median(good) if good else 0, color=colour, alpha=0.6)
                axis.plot(good, [y] * len(good), "k|")
            axis.set_title(f"{env}: {_words(metric)}", fontsize=9)
            axis.set_yticks(range(len(names)), names, fontsize=8)
            axis.invert_yaxis() if axis is panels[0] and env == envs[0] else None
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _of(rows: list[Row], env: str, system: str) -> list[Row]:
    return [row for row in rows if row["env"] == env and row["system"] == system]


def _table(rows: list[Row], env: str) -> str:
    rounds = len({row["round"] for row in rows if row["env"] == env})
    loads = [float(row["load"]) for row in rows if row["env"] == env]
    lines = [
        f"**{env}**: medians of {rounds} rounds; load of the machine before a run "
        f"{min(loads):.1f} to {max(loads):.1f}; x is Engram's first row divided by this "
        "one, in the same round.",
        "",
        "| system | frames/s | x | frames per CPU second | x | resident, MB | proportional, MB | "
        "processes | LSTM and loss |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    names = [name for name in SYSTEMS if _of(rows, env, name)]
    return "\n".join(lines + [_line(rows, env, name) for name in names])


def _line(rows: list[Row], env: str, name: str) -> str:
    system = SYSTEMS[name]
    if median(rows, env, name, METRICS[0]) is None:
        error = _of(rows, env, name)[-1]["error"].replace("|", "/")
        return f"| {system.title} | failed: {error} | | | | | | | {system.semantics} |"
    cells = []
    for metric in METRICS:
        times = ratio(rows, env, OURS, name, metric)
        cells += [f"{median(rows, env, name, metric):,.0f}", f"{times:.2f}" if times else ""]
    for field in ("resident_mb", "proportional_mb", "processes"):
        cells.append(f"{median(rows, env, name, field):,.0f}")
    return f"| {system.title} | {' | '.join(cells)} | {system.semantics} |"


def _goals(rows: list[Row], envs: list[str]) -> str:
    lines = []
    for env in envs:
        for ours, theirs, metric, wanted in GOALS:
            times = ratio(rows, env, ours, theirs, metric)
            if times is not None:
                verdict = "reached" if times >= wanted else "missed"
                lines.append(
                    f"* {env}, `{ours}` at least {wanted:g} times `{theirs}` in "
                    f"{_words(metric)}: {times:.2f}, {verdict}."
                )
    return "\n".join(["Goals:", "", *lines]) if lines else ""


def _absent(absent: dict[str, str]) -> str:
    return "\n".join(
        ["Not measured:", "", *(f"* {name}: {reason}." for name, reason in absent.items())]
    )


def _words(metric: str) -> str:
    return metric.replace("_", " ").replace("cpu", "CPU")
