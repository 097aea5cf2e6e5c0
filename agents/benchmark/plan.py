"""Which runs a benchmark is made of: every core on every task, a few seeds each, from one file.

    seeds: [1, 2, 3]
    settings:                       # options of every run
      steps: 3000
    tasks:                          # a name of your own, and options
      long recall: {task: delayed_recall, task.delay: 20}
      farthest: {config: nth_farthest-small}
    cores:
      lstm: {core: lstm}
      rmc, 8 slots: {core: rmc, core.slots: 8, core.units: 1024}

Options are those of the command line without their dashes. Where two set the same, the core's wins
over the task's, the task's over the settings.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agents.cli.command import CommandError
from agents.cli.command_line import ParsedRun, parse
from agents.cli.options import nearest
from agents.cli.presets import to_yaml
from agents.cli.program import CONFIGS
from agents.supervised.program import SUPERVISED

FOLDER = CONFIGS / "benchmark"
_NO_MATTER = ("device", "threads", "graphs", "checkpoint_minutes", "log_seconds")
"""Options that do not make it another run."""
SECTIONS = ("seeds", "settings", "tasks", "cores")


class Job(NamedTuple):
    """One run."""

    task: str
    core: str
    seed: int
    flags: tuple[str, ...]
    """Of `scripts/supervised.py`."""
    folder: Path


def find_plan(given: str) -> Path:
    """The file meant: a path, or the name of one in configs/benchmark."""
    for path in (Path(given), FOLDER / f"{given}.yaml"):
        if path.is_file():
            return path
    names = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    raise CommandError(f"{given}: no such file or benchmark. {nearest(given, names)}")


def read_plan(file: Path, out: Path) -> list[Job]:
    """Every run of a benchmark, each checked as far as its command line goes.

    Args:
        out: folder below which the runs go.

    Raises:
        CommandError: the file is not a benchmark; names the entry.
    """
    plan = _sections(file)
    settings = _options(file, "settings", plan.get("settings", {}))
    seeds = plan.get("seeds", [0])
    if not (isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds)):
        raise CommandError(f"{file}: `seeds` is a list of whole numbers, got {seeds!r}.")
    tasks, cores = (_entries(file, plan, section) for section in ("tasks", "cores"))
    # Seeds outermost: an interrupted benchmark has whole tables of fewer seeds.
    jobs = [
        Job(
            task,
            core,
            seed,
            _flags(settings | of_task | of_core, seed),
            _place(out, task, core, seed),
        )
        for seed in seeds
        for task, of_task in tasks.items()
        for core, of_core in cores.items()
    ]
    counts = Counter(job.folder for job in jobs)
    twice = [job for job in jobs if counts[job.folder] > 1]
    if twice:
        raise CommandError(
            f"{file}: several runs would go to {twice[0].folder}; give each task and core a name "
            "of its own, and each seed once."
        )
    return jobs


def check(job: Job) -> ParsedRun:
    """The run as its command line is understood; leaves with a message if it is not."""
    try:
        return parse(list(job.flags), SUPERVISED)
    except SystemExit:
        raise CommandError(f"task `{job.task}` with core `{job.core}` cannot be run.") from None


def is_of(job: Job, parsed: ParsedRun) -> bool:
    """Whether the folder of a job holds a run of these settings, or none."""
    file = job.folder / "config.yaml"
    if not file.exists():
        return True
    wanted = yaml.safe_load(to_yaml(SUPERVISED, parsed.config, parsed.names))
    try:
        held = yaml.safe_load(file.read_text())
    except (UnicodeDecodeError, yaml.YAMLError):
        held = None
    if not isinstance(held, dict):
        raise CommandError(f"{file} is damaged; remove {job.folder} and run again.")
    return all(held.get(key) == value for key, value in wanted.items() if key not in _NO_MATTER)


def _sections(file: Path) -> dict[str, Any]:
    try:
        plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(plan, dict):
        raise CommandError(f"{file}: expected sections {', '.join(SECTIONS)}.")
    for name in plan:
        if name not in SECTIONS:
            raise CommandError(f"{file}: no section `{name}`. {nearest(str(name), SECTIONS)}")
    return plan


def _entries(file: Path, plan: Mapping[str, Any], section: str) -> dict[str, dict[str, Any]]:
    entries = plan.get(section)
    if not isinstance(entries, dict) or not entries:
        raise CommandError(f"{file}: `{section}` must name at least one, each with its options.")
    return {str(n): _options(file, f"{section}: {n}", value) for n, value in entries.items()}


def _options(file: Path, name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CommandError(f"{file}: `{name}` takes lines of `option: value`, got {value!r}.")
    for own in ("seed", "run_dir", "run-dir", "resume", "overwrite"):
        if own in value:
            raise CommandError(f"{file}: `{name}` sets {own}, which the benchmark sets itself.")
    return {str(key): option for key, option in value.items()}


def _flags(options: Mapping[str, Any], seed: int) -> tuple[str, ...]:
    words = (word for key, value in options.items() for word in _flag(key, value))
    return (*words, "--seed", str(seed))


def _flag(key: str, value: Any) -> Iterator[str]:
    flag = "--" + key.replace("_", "-")
    if isinstance(value, bool):
        owner, dot, name = flag.removeprefix("--").rpartition(".")
        yield flag if value else f"--{owner}{dot}no-{name}"
    elif isinstance(value, list):
        yield from (flag, *map(str, value))
    else:
        yield from (flag, str(value))


def _place(out: Path, task: str, core: str, seed: int) -> Path:
    return out / _word(task) / _word(core) / str(seed)


def _word(name: str) -> str:
    """A name as one of a folder."""
    return re.sub(r"[^\w.=+-]+", "-", name).strip("-") or "-"
