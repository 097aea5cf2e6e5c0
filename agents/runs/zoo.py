"""The trained agents that come with Engram: run folders that are found by their names."""

from pathlib import Path

from agents.cli.options import did_you_mean

ZOO = Path(__file__).resolve().parents[1] / "zoo"


def zoo_names() -> list[str]:
    """The names of the trained agents."""
    return sorted(file.parent.name for file in ZOO.glob("*/config.yaml"))


def find_run(given: Path) -> Path:
    """The folder of a trained agent if it is named, and else the path itself.

    A run folder of that name comes first.
    """
    is_run = (given / "config.yaml").is_file()
    return ZOO / given if not is_run and str(given) in zoo_names() else given


def output_folder(given: Path) -> Path:
    """Where the results of a run go: its folder, or for a trained agent `runs/<name>`."""
    return given if find_run(given) == given else Path("runs") / given


def suggestion(given: Path) -> str:
    """The trained agent of the nearest name, as the end of a message; empty if none is near."""
    return did_you_mean(str(given), zoo_names())
