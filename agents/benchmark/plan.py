"""The plan of a benchmark: cores on tasks and environments, with several seeds each.

    seeds: [1, 2, 3]
    settings:                       # options of every run
      tasks: {steps: 3000}          # of every run of a task
      environments: {workers: 0}    # of every run of an environment
    tasks:                          # any name, and options
      long recall: {task: delayed_recall, task.delay: 20}
      farthest: {config: nth_farthest-small}
    environments:
      boxworld: {env: boxworld, frames: 100000000, evaluate-every: 10000000, seeds: [1]}
    cores:
      lstm: {core: lstm}
      rmc, 8 slots: {core: rmc, core.slots: 8, core.units: 1024}
    parameters: 20000               # of each core at most: each is made as wide as that allows

Options are those of the command line without their dashes. Options of a core override those of a
task or environment, which override the settings. A task or environment may list the `cores` and
`seeds` to run; the default is all. `published: {RMC of Santoro et al. 2018: 0.98}` gives scores of
others, which the report shows beside the baselines, in the measure of the runs.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agents.benchmark.sizing import sized_options
from agents.cli.command import CommandError
from agents.cli.command_line import ParsedRun, parse, to_yaml
from agents.cli.invocation import shell_command
from agents.cli.options import nearest
from agents.cli.program import CONFIGS, Program
from agents.cli.yaml_file import is_list, is_mapping, read_yaml
from agents.impala.program import IMPALA
from agents.runs.run import Run, RunError
from agents.supervised.program import SUPERVISED

FOLDER = CONFIGS / "benchmark"
PROGRAMS = {"tasks": SUPERVISED, "environments": IMPALA}
"""The program for the entries of a section."""
SECTIONS = ("seeds", "settings", *PROGRAMS, "cores", "parameters")
_SAME_RUN = (
    "device",
    "threads",
    "graphs",
    "checkpoint_minutes",
    "log_seconds",
    "evaluate_levels",
    "worker_deadline",
)
"""Options that may differ between a plan and an existing run."""


class Job(NamedTuple):
    """One run."""

    kind: str
    """Section of its subject: `tasks` or `environments`."""
    subject: str
    """Name of the task or environment in the plan."""
    core: str
    """Name of the core in the plan."""
    seed: int
    flags: tuple[str, ...]
    """Command-line options."""
    folder: Path
    lines: tuple[int, int]
    """Of the subject and of the core in the plan."""
    published: tuple[tuple[str, float], ...] = ()
    """Scores of others in the same measure, with their names."""

    @property
    def program(self) -> Program:
        """The command that runs it."""
        return PROGRAMS[self.kind]

    @property
    def name(self) -> str:
        """Name of the run in messages and logs."""
        return f"{self.subject} · {self.core} · seed {self.seed}"

    @property
    def command(self) -> str:
        """Command line that repeats it."""
        return " ".join([shell_command(self.program.name), *self.flags])


def read_plan(file: Path, out: Path) -> list[Job]:
    """Every run of a benchmark, in the order of execution.

    Args:
        out: folder of the runs.

    Raises:
        OptionError: the file is not a benchmark; names the entry and its line.
    """
    return _Plan(file).jobs(out)


def check(job: Job) -> ParsedRun:
    """The parsed command line of a run.

    Raises:
        CommandError: it is not valid; the program has printed why.
    """
    try:
        return parse(list(job.flags), job.program)
    except SystemExit:
        kind = job.program.kind
        raise CommandError(
            f"{kind} `{job.subject}` (line {job.lines[0]} of the plan) with core `{job.core}` "
            f"(line {job.lines[1]}) cannot be run."
        ) from None


def is_of(job: Job, parsed: ParsedRun) -> bool:
    """Whether the folder of a job is free, or holds a run with these settings.

    A run of fewer frames or updates can be continued, if its learning rate does not depend on them.
    An option that is newer than the run has its default there.
    """
    file = job.folder / "config.yaml"
    if not file.exists():
        return True
    try:
        run = Run.open(job.folder, job.program)
    except RunError:
        raise CommandError(f"{file} is damaged; remove {job.folder} and run again.") from None
    wanted = yaml.safe_load(to_yaml(job.program, parsed.config, parsed.names))
    held = yaml.safe_load(to_yaml(job.program, run.config, run.names))
    changeable: set[str] = set(_SAME_RUN)
    schedule = wanted.get("optimizer", {}).get("schedule", "constant")
    length = "frames" if job.kind == "environments" else "steps"
    if schedule == "constant" and held[length] <= wanted[length]:
        changeable.add(length)
    return all(held[key] == value for key, value in wanted.items() if key not in changeable)


class _Plan:
    """A plan file: its sections, and the line of each key."""

    def __init__(self, path: Path) -> None:
        self.file = read_yaml(path, 3)
        self.sections = self.file.sections(SECTIONS)

    def jobs(self, out: Path) -> list[Job]:
        """Every run, ordered by seed."""
        cores = self._entries("cores")
        if not any(kind in self.sections for kind in PROGRAMS):
            raise self.file.error(f"expected {' or '.join(f'`{kind}`' for kind in PROGRAMS)}.")
        of_plan = self._seeds(("seeds",), self.sections.get("seeds", [0]))
        jobs = [job for kind in PROGRAMS for job in self._jobs_of(kind, cores, of_plan, out)]
        # Seeds outermost: an interrupted benchmark has complete tables with fewer seeds.
        order = {seed: place for place, seed in enumerate(of_plan)}
        jobs.sort(key=lambda job: order.get(job.seed, len(order)))
        counts = Counter(job.folder for job in jobs)
        twice = [job for job in jobs if counts[job.folder] > 1]
        if twice:
            raise self.file.error(
                f"several runs would use {twice[0].folder}; names of tasks, environments and "
                "cores, and seeds, must be unique."
            )
        return jobs

    def _jobs_of(
        self, kind: str, cores: dict[str, dict[str, Any]], seeds: list[int], out: Path
    ) -> Iterator[Job]:
        settings = self._settings(kind)
        for subject, options in self._entries(kind).items() if kind in self.sections else ():
            where = (kind, subject)
            chosen = self._cores(where, options.pop("cores", list(cores)), cores)
            own = options.pop("seeds", None)
            published = self._published(where, options.pop("published", {}))
            self._check_names(where, settings | options)
            for core in chosen:
                self._check_core(core, settings | options | cores[core])
            of = {c: self._sized(kind, settings | options | cores[c]) for c in chosen}
            for seed in seeds if own is None else self._seeds((*where, "seeds"), own):
                for core in chosen:
                    flags = flags_of(of[core] | {"seed": seed})
                    folder = out / _word(subject) / _word(core) / str(seed)
                    lines = self.file.lines[where], self.file.lines["cores", core]
                    yield Job(kind, subject, core, seed, flags, folder, lines, published)

    def _check_names(self, where: tuple[str, str], options: Mapping[str, Any]) -> None:
        """Refuse an entry that would be run with the default task or environment."""
        name = {"tasks": "task", "environments": "env"}[where[0]]
        if name not in options and "config" not in options:
            raise self.file.error(
                f"`{': '.join(where)}` names no {name}: expected `{name}` or `config`.", *where
            )

    def _check_core(self, core: str, options: Mapping[str, Any]) -> None:
        """Refuse an entry that would be run with the default core."""
        if "core" not in options:
            raise self.file.error(
                f"`cores: {core}` names no core: expected `core: NAME`.", "cores", core
            )

    def _sized(self, kind: str, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a run, its core made to size where the plan asks for it."""
        parameters = self.sections.get("parameters")
        if parameters is None:
            return options
        if type(parameters) is not int or parameters < 1:
            raise self.file.error(
                f"`parameters` is a whole number from 1 on, got {parameters!r}.", "parameters"
            )
        try:
            return options | sized_options(PROGRAMS[kind], flags_of(options), parameters)
        except SystemExit:
            return options  # the run cannot be; `check` says so with its place in the plan

    def _settings(self, kind: str) -> dict[str, Any]:
        """Options of all runs of a section."""
        settings = dict(self.file.mapping(self.sections.get("settings", {}), "settings"))
        own = {name: settings.pop(name, {}) for name in PROGRAMS}
        for name, value in settings.items():
            if is_mapping(value):
                raise self.file.error(
                    f"`settings: {name}` has options of its own; these can have: "
                    f"{', '.join(PROGRAMS)}. {nearest(name, PROGRAMS)}",
                    "settings",
                    name,
                )
        options = self._options(("settings",), settings)
        return options | self._options(("settings", kind), own[kind])

    def _entries(self, section: str) -> dict[str, dict[str, Any]]:
        entries = self.sections.get(section)
        if not is_mapping(entries) or not entries:
            raise self.file.error(f"`{section}` must have at least one entry with its options.")
        return {name: self._options((section, name), value) for name, value in entries.items()}

    def _options(self, where: tuple[str, ...], value: Any) -> dict[str, Any]:
        options = self.file.mapping(value, *where)
        for own in ("seed", "run_dir", "run-dir", "resume", "overwrite"):
            if own in options:
                raise self.file.error(
                    f"`{': '.join(where)}` sets {own}, which is set by the benchmark.", *where
                )
        return options

    def _published(self, where: tuple[str, ...], value: Any) -> tuple[tuple[str, float], ...]:
        scores = self.file.mapping(value, *where, "published")
        for name, score in scores.items():
            if type(score) not in (int, float):
                raise self.file.error(
                    f"`{': '.join(where)}: published: {name}` is a number, got {score!r}.", *where
                )
        return tuple((name, float(score)) for name, score in scores.items())

    def _seeds(self, where: tuple[str, ...], value: Any) -> list[int]:
        if is_list(value) and value and all(type(seed) is int for seed in value):
            return value
        raise self.file.error(
            f"`{': '.join(where)}` is a list of whole numbers, got {value!r}.", *where
        )

    def _cores(self, where: tuple[str, ...], value: Any, cores: Mapping[str, Any]) -> list[str]:
        if not is_list(value):
            raise self.file.error(f"`{': '.join(where)}: cores` is a list, got {value!r}.", *where)
        for name in value:
            if name not in cores:
                raise self.file.error(
                    f"`{': '.join(where)}: cores` names {name}, which is not among the cores of "
                    f"the plan. {nearest(str(name), cores)}",
                    *where,
                )
        return value


def flags_of(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Options as flags of a command line."""
    return tuple(word for key, value in options.items() for word in _flag(key, value))


def _flag(key: str, value: Any) -> Iterator[str]:
    flag = "--" + key.replace("_", "-")
    if isinstance(value, bool):
        owner, dot, name = flag.removeprefix("--").rpartition(".")
        yield flag if value else f"--{owner}{dot}no-{name}"
    elif is_list(value):
        yield from (flag, *map(str, value))
    else:
        yield from (flag, str(value))


def _word(name: str) -> str:
    """A name as a folder name."""
    word = re.sub(r"[^\w.=+-]+", "-", name).strip("-.")
    return word or "-"
