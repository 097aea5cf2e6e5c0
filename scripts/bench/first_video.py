"""What a new user waits for, and what is downloaded: from a clone to the first video of an agent.

    python scripts/bench/first_video.py --out docs/results/first_video.json

Clones the last commit, installs it with `make install` and records the agent of the zoo. Needs
access to the package index.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agents", "envs", "memory", "scripts", "tests")
AGENT = "boxworld-easy-lstm"


def main() -> None:
    parser = argparse.ArgumentParser(description="From a clone to the first video.")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    parser.add_argument("--before", help="count the lines of this commit, too")
    args = parser.parse_args()
    commits = [commit for commit in (args.before, "HEAD") if commit]
    measured = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "load": round(os.getloadavg()[0], 1),
        "seconds": _first_video(),
        "zoo_bytes": sum(
            file.stat().st_size for file in (ROOT / "agents/zoo").rglob("*") if file.is_file()
        ),
        "python_lines": {
            _git("rev-parse", "--short", commit): _lines(commit) for commit in commits
        },
    }
    args.out.write_text(json.dumps(measured, indent=2) + "\n")
    print(args.out.read_text(), end="")


def _first_video() -> dict[str, float]:
    """Seconds of each step in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        record = [".venv/bin/engram", "record", AGENT, "--episodes", "1", "--out", "first.mp4"]
        steps = {
            "clone": (["git", "clone", "-q", str(ROOT), str(clone)], folder),
            "install": (["make", "-s", "install"], str(clone)),
            "record": (record, str(clone)),
        }
        seconds: dict[str, float] = {}
        for name, (command, cwd) in steps.items():
            begun = time.perf_counter()
            subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
            seconds[name] = round(time.perf_counter() - begun, 1)
        if not (clone / "first.mp4").stat().st_size:
            raise RuntimeError("the video is empty")
    return seconds | {"all": round(sum(seconds.values()), 1)}


def _lines(commit: str) -> dict[str, int]:
    """Lines of Python files by folder, as `wc -l` counts them."""
    counted = _git("grep", "-c", "", commit, "--", "*.py").splitlines()
    counts = [line.removeprefix(f"{commit}:").rpartition(":") for line in counted]
    return {
        folder: sum(int(count) for file, _, count in counts if file.startswith(f"{folder}/"))
        for folder in FOLDERS
    }


def _git(*arguments: str) -> str:
    result = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


if __name__ == "__main__":
    main()
