"""The plan of a search: options with their ranges.

program: impala                 # or supervised
settings: {config: boxworld-easy, core: rmc, frames: 2000000}
search:
  optimizer.learning-rate: {log: [1.0e-5, 1.0e-3]}   # log-uniform
  loss.discount: {between: [0.95, 0.99]}             # uniform
  core.heads: {choices: [1, 2, 4]}
trials: 16                      # or `all`: every combination of choices
scheduler: asha                 # stop poor trials early; `none` completes all
measure: episodes/return        # a column of metrics.jsonl; more is better
lower_is_better: false
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from agents.benchmark.plan import check_shape, flags_of
from agents.cli.command import CommandError
from agents.cli.command_line import parse
from agents.cli.options import nearest
from agents.cli.program import CONFIGS, Program
from agents.impala.program import IMPALA
from agents.supervised.program import SUPERVISED

FOLDER = CONFIGS / "sweep"
PROGRAMS = {"impala": IMPALA, "supervised": SUPERVISED}
SECTIONS = (
    "program",
    "settings",
    "search",
    "trials",
    "scheduler",
    "measure",
    "lower_is_better",
)
RANGES = ("log", "between", "choices")


class Sweep(NamedTuple):
    """A search."""

    program: Program
    settings: dict[str, Any]
    search: dict[str, dict[str, list[Any]]]
    """By option: the kind of range, and its bounds or choices."""
    trials: int | None
    """None: every combination."""
    scheduler: Literal["asha", "none"]
    measure: str
    lower_is_better: bool

    @property
    def length(self) -> int:
        """Frames or updates of a trial."""
        config = self.check({})
        return config.frames if self.program is IMPALA else config.steps

    def check(self, chosen: Mapping[str, Any]) -> Any:
        """The configuration of a trial.

        Raises:
            CommandError: the options are not valid; the program has printed why.
        """
        try:
            return parse(list(flags_of(self.settings | dict(chosen))), self.program).config
        except SystemExit:
            raise CommandError(
                f"a trial with {dict(chosen) or 'these settings'} cannot be run."
            ) from None


def find_sweep(given: str) -> Path:
    """The file of a path, or of a name in configs/sweep."""
    for path in (Path(given), FOLDER / f"{given}.yaml"):
        if path.is_file():
            return path
    names = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    raise CommandError(f"{given}: no such file or sweep. {nearest(given, names)}")


def read_sweep(file: Path) -> Sweep:
    """Read a search; checks all bounds and choices against the program's options.

    Raises:
        CommandError: the file is not a search; names the entry.
    """
    try:
        text = file.read_text(encoding="utf-8")
        check_shape(file, text)
        plan = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CommandError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(plan, dict):
        raise CommandError(f"{file}: expected sections {', '.join(SECTIONS)}.")
    for name in plan:
        if name not in SECTIONS:
            raise CommandError(f"{file}: no section `{name}`. {nearest(str(name), SECTIONS)}")
    sweep = Sweep(
        PROGRAMS[_one_of(file, plan, "program", PROGRAMS)],
        _mapping(file, plan, "settings"),
        {option: _range(file, option, value) for option, value in _search(file, plan).items()},
        _trials(file, plan),
        "asha" if _one_of(file, plan, "scheduler", ("asha", "none")) == "asha" else "none",
        str(plan.get("measure", "")),
        bool(plan.get("lower_is_better", False)),
    )
    _check(file, sweep)
    return sweep


def _check(file: Path, sweep: Sweep) -> None:
    if not sweep.measure:
        raise CommandError(f"{file}: `measure` names a column of metrics.jsonl.")
    if sweep.trials is None and any("choices" not in of for of in sweep.search.values()):
        raise CommandError(f"{file}: `trials: all` needs `choices` for each option of `search`.")
    for option, of in sweep.search.items():
        for value in next(iter(of.values())):
            sweep.check({option: value})


def _mapping(file: Path, plan: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = plan.get(name, {})
    if not isinstance(value, dict):
        raise CommandError(f"{file}: `{name}` takes lines of `option: value`, got {value!r}.")
    return value


def _search(file: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    search = _mapping(file, plan, "search")
    if not search:
        raise CommandError(f"{file}: `search` must name at least one option with its range.")
    return search


def _range(file: Path, option: str, value: Any) -> dict[str, list[Any]]:
    if isinstance(value, dict) and len(value) == 1:
        ((kind, of),) = value.items()
        numbers = isinstance(of, list) and all(isinstance(x, int | float) for x in of)
        if kind == "choices" and isinstance(of, list) and of:
            return {kind: of}
        is_range = numbers and len(of) == 2 and of[0] < of[1]
        if is_range and (kind == "between" or (kind == "log" and of[0] > 0)):
            return {kind: of}
    raise CommandError(
        f"{file}: `search: {option}` is {{log: [low, high]}}, {{between: [low, high]}} or "
        f"{{choices: [...]}}, got {value!r}."
    )


def _trials(file: Path, plan: Mapping[str, Any]) -> int | None:
    trials = plan.get("trials", "all")
    if trials == "all":
        return None
    if type(trials) is int and trials >= 1:
        return trials
    raise CommandError(f"{file}: `trials` is a number from 1 on, or all; got {trials!r}.")


def _one_of(file: Path, plan: Mapping[str, Any], name: str, allowed: Any) -> str:
    value = str(plan.get(name, "none" if name == "scheduler" else ""))
    if value not in allowed:
        raise CommandError(f"{file}: `{name}: {value}`: {nearest(value, allowed)}")
    return value
