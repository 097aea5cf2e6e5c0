"""The memory of a long run as a figure."""

# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from io import StringIO


def draw(samples: Sequence[dict[str, float]]) -> str:
    """The memory of each part of a run over time, as SVG; empty without matplotlib.

    Each line is zero after half of the time.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return ""
    start = samples[len(samples) // 2]
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    minutes = [60 * sample["hours"] for sample in samples]
    for name in (name for name in start if name.endswith("MB")):
        axes.plot(minutes, [sample[name] - start[name] for sample in samples], label=name[:-3])
    axes.axvline(60 * start["hours"], color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("minutes")
    axes.set_ylabel("MB more than after half of the time")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    out = StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
