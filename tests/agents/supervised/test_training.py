"""The loop in two processes without Ray: rank 0 decides, and both end together."""

import json
import math
from pathlib import Path

import pytest

from agents.cli.command_line import parse
from agents.cli.exit_status import NOT_FINITE
from agents.runs.checkpoint import load
from agents.runs.run import Run
from agents.runs.stop_signal import StopFile
from agents.supervised.build import build
from agents.supervised.program import SUPERVISED
from agents.supervised.training import SupervisedTraining, status_of
from memory.group import DistributedGroup
from memory.supervised import Trainer
from tests.two_processes import in_two_processes

FLAGS = "--task delayed_recall --task.delay 1 --task.length 2 --core gru --core.hidden 8 "
FLAGS += "--training.batch 7 --reader.readout 8 --validate-every 2 --steps 4 --log-seconds 0"


def work(rank: int, folder: Path, case: str) -> None:
    """Both processes evaluate to different marks; only rank 0's may count."""
    marks = iter({"patience": (0.9, 0.1, 0.1), "nan": (0.5, math.nan)}.get(case, (0.1,) * 9))

    def evaluate(self: Trainer, split: str = "test") -> dict[str, float]:
        return {"accuracy": next(marks) if rank == 0 else pytest.fail()}

    Trainer.evaluate = evaluate
    flags = [*FLAGS.split(), "--run-dir", str(folder / "run")]
    if case == "patience":
        flags += ["--patience", "1", "--steps", "100"]
    parsed = parse(flags, SUPERVISED)
    config = parsed.config
    run = Run.create(config, parsed.names, SUPERVISED) if rank == 0 else None
    task, reader = build(config)
    trainer = Trainer(reader, task, config.training, group=DistributedGroup())
    stop = StopFile(folder)
    if case == "stop" and rank == 0:
        stop.request()
    status = status_of(SupervisedTraining(config, trainer, run), stop)
    (folder / f"end-{rank}").write_text(json.dumps([status, trainer.updates]))


@pytest.mark.parametrize(
    ("case", "status", "updates"),
    [("last step", 0, 4), ("patience", 0, 4), ("nan", NOT_FINITE, 4), ("stop", 0, 0)],
)
def test_both_processes_end_where_rank_0_decides(case, status, updates, tmp_path):
    in_two_processes(work, tmp_path, case)
    ends = [json.loads((tmp_path / f"end-{rank}").read_text()) for rank in range(2)]
    assert ends == [[status, updates]] * 2
    assert (tmp_path / "run" / "results.json").exists() == (case in ("last step", "patience"))
    if case == "patience":
        assert load(tmp_path / "run" / "checkpoints", best=True).frame == 2
