"""Compares Engram with its peers on Engram's environments: installs, runs and reports.

    python scripts/bench/peers/peers.py --venvs FOLDER --out docs/results/peers.csv

Every system trains with the same torso, LSTM and heads, unrolls of 40 steps and batches of 32
trajectories. Each round starts all systems in turn, so that other load on the machine affects all
equally. A system is measured after its first update and a warm-up. Each peer has its own virtual
environment in FOLDER, made if it is missing. An environment that cannot be made, or a run that
fails, is reported and skipped. Runs that `--out` holds are not repeated, so the same command
resumes after an interruption.
"""

import argparse
import csv
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))
sys.path.append(str(Path(__file__).resolve().parents[1]))

from drivers.systems import (
    SYSTEMS,
    NotInstalled,
    command,
    environment,
    install,
    versions,
)
from peer_report import Row, draw, insert, page
from steady import Ended, Steady, watch

from agents.runs.atomic import atomic_path
from agents.runs.versions import versions as ours

ENVS = ("boxworld", "minipacman")
FIELDS = ["env", "system", "round", *Steady._fields, "load", "seconds", "cpus"]
FIELDS += ["commit", "platform", "versions", "error"]


def main() -> None:
    """Install, measure, report."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # also ends the running system
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cpus])
    names, absent = available(asked.systems, asked.venvs)
    rows = measured(asked.out)
    for number in range(1, asked.rounds + 1):
        for env in asked.envs:
            for name in names:
                if not any(_is(row, env, name, number) for row in rows):
                    rows.append(measure(name, env, number, asked))
                    write(rows, asked.out)
    report = page(rows, absent)
    print(report)
    if rows:
        draw(rows, asked.out.with_suffix(".png"))
    if asked.page:
        asked.page.write_text(insert(asked.page.read_text(), report))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV of all rounds; figure beside")
    parser.add_argument("--page", type=Path, help="Markdown whose measured part is replaced")
    parser.add_argument("--venvs", type=Path, required=True, help="folder of the peers' Pythons")
    parser.add_argument("--envs", nargs="+", choices=ENVS, default=ENVS)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=[*SYSTEMS])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=float, default=10.0, help="seconds, not counted")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds that count")
    parser.add_argument("--cpus", type=int, default=2, help="CPUs that all may use")
    asked = parser.parse_args()
    if asked.rounds < 0 or asked.cpus < 1 or asked.seconds <= 0 or asked.warm_up < 0:
        parser.error("--rounds, --warm-up at least 0; --cpus at least 1; --seconds above 0")
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    asked.venvs = asked.venvs.resolve()
    return asked


def available(names: list[str], venvs: Path) -> tuple[list[str], dict[str, str]]:
    """The systems that can run, and the reasons why the others cannot."""
    absent = {}
    for peer in dict.fromkeys(SYSTEMS[name].peer for name in names):
        if peer is not None:
            try:
                install(peer, venvs)
            except NotInstalled as error:
                absent[peer] = str(error)
                print(f"{peer} is left out: {error}", flush=True)
    return [name for name in names if SYSTEMS[name].peer not in absent], absent


def measured(file: Path) -> list[Row]:
    """Rows of an earlier call, without failed runs."""
    if not file.exists():
        return []
    with file.open(newline="") as table:
        return [row for row in csv.DictReader(table) if not row["error"]]


def write(rows: list[Row], file: Path) -> None:
    """Write all rows atomically."""
    with atomic_path(file) as unfinished, unfinished.open("w", newline="") as table:
        writer = csv.DictWriter(table, FIELDS, restval="")
        writer.writeheader()
        writer.writerows(rows)


def measure(name: str, env: str, number: int, asked: argparse.Namespace) -> Row:
    """One run of one system."""
    mine, load = ours(), os.getloadavg()[0]
    row = {"env": env, "system": name, "round": str(number), "load": f"{load:.2f}", "error": ""}
    row |= {"seconds": str(asked.seconds), "cpus": str(len(os.sched_getaffinity(0)))}
    row |= {"commit": str(mine["commit"]), "platform": str(mine["platform"])}
    work = Path(tempfile.mkdtemp(prefix="peers-"))
    progress = work / "run/metrics.jsonl"
    try:
        row["versions"] = versions(name, asked.venvs)
        steady = watch(
            command(name, env, progress, work / "own", asked.venvs),
            progress,
            asked.warm_up,
            asked.seconds,
            work / "output",
            environment(name),
            work,
        )
        row |= {field: f"{value:.5g}" for field, value in steady._asdict().items()}
    except Ended as error:
        row["error"] = str(error)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    figures = [row.get(field, "") for field in Steady._fields]
    print(f"round {number}, {env}, {name}:", row["error"] or " ".join(figures), flush=True)
    return row


def _is(row: Row, env: str, name: str, number: int) -> bool:
    return (row["env"], row["system"], row["round"]) == (env, name, str(number))


if __name__ == "__main__":
    main()
