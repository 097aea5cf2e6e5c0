"""A search over options on Ray Tune: each trial is a run in its own process."""

# pyright: reportUnknownMemberType=false

import csv
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator

from agents.benchmark.plan import flags_of
from agents.benchmark.sweep_plan import Sweep
from agents.cli.invocation import process_command
from agents.cluster.ray_session import connect_ray, leave_ray

POLL_SECONDS = 2.0
TABLE = "sweep.csv"


def run_sweep(
    sweep: Sweep, out: Path, address: str | None, ship: bool, seed: int
) -> list[dict[str, Any]]:
    """Run all trials; returns a row for each, the best first, and writes them to a table.

    Args:
        address: of a running Ray cluster whose nodes share `out`; None starts Ray here.
        ship: whether the sources are sent to its nodes.
        seed: of the sampled values.
    """
    connect_ray(address, ship)
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # paths of options are relative to this process
    out = out.resolve()
    scheduler = None
    if sweep.scheduler == "asha":
        length = sweep.length
        scheduler = ASHAScheduler("frame", max_t=length, grace_period=max(1, length // 9),
                                  reduction_factor=3)  # fmt: skip
    try:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_trial, sweep=sweep, out=out), {"cpu": 1}),
            param_space={option: _space(sweep, of) for option, of in sweep.search.items()},
            tune_config=tune.TuneConfig(
                metric=sweep.measure,
                mode="min" if sweep.lower_is_better else "max",
                num_samples=sweep.trials or 1,
                scheduler=scheduler,
                search_alg=BasicVariantGenerator(random_state=seed),
            ),
            run_config=tune.RunConfig(name="ray", storage_path=str(out), verbose=1),
        )
        rows = [_row(sweep, result) for result in tuner.fit()]
    finally:
        leave_ray()
    known = [row for row in rows if row[sweep.measure] is not None]
    known.sort(key=lambda row: row[sweep.measure], reverse=not sweep.lower_is_better)
    rows = known + [row for row in rows if row[sweep.measure] is None]
    _write(out / TABLE, rows)
    return rows


def _space(sweep: Sweep, of: dict[str, list[Any]]) -> Any:
    ((kind, values),) = of.items()
    if kind == "log":
        return tune.loguniform(*values)
    if kind == "between":
        return tune.uniform(*values)
    choose = cast(Callable[..., Any], tune.grid_search if sweep.trials is None else tune.choice)
    return choose(values)


def _trial(chosen: dict[str, Any], sweep: Sweep, out: Path) -> None:
    """Run one trial in a process; reports each new line of its log that has the measure."""
    name = tune.get_context().get_trial_id()
    folder = out / "runs" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = process_command(sweep.program.name)
    flags = flags_of(sweep.settings | chosen)
    with (out / "runs" / f"{name}-output.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, *flags, "--run-dir", str(folder), "--overwrite"], stdout=log, stderr=log
        )
        try:
            for line in _lines(folder / "metrics.jsonl", process):
                if sweep.measure in line:
                    tune.report({**line, "run": str(folder)})
        finally:
            process.terminate()
            process.wait()
    if process.returncode > 0:
        last = Path(log.name).read_text(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"exit status {process.returncode}: {' '.join(last)}")


def _lines(file: Path, process: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    """The lines of a log as they are written, until the process has ended."""
    seen = 0
    while True:
        has_ended = process.poll() is not None
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        yield from (json.loads(line) for line in whole[seen:])
        seen = len(whole)
        if has_ended:
            return
        time.sleep(POLL_SECONDS)


def _row(sweep: Sweep, result: Any) -> dict[str, Any]:
    metrics: dict[str, Any] = result.metrics or {}
    return {
        **{option: result.config[option] for option in sweep.search},
        sweep.measure: metrics.get(sweep.measure),
        "frame": metrics.get("frame"),
        "seconds": metrics.get("speed/seconds"),
        "error": str(result.error).strip().splitlines()[-1] if result.error else "",
    }


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    with file.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
