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

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agents.benchmark.plan import flags_of
from agents.cli.command import CommandError
from agents.cli.command_line import parse
from agents.cli.options import nearest
from agents.cli.program import CONFIGS, Program
from agents.cli.yaml_file import YamlFile, is_list, is_mapping, read_yaml
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


def read_sweep(path: Path) -> Sweep:
    """Read a search; checks all bounds and choices against the program's options.

    Raises:
        OptionError: the file is not a search; names the entry and its line.
        CommandError: a bound or choice is not valid; the program has printed why.
    """
    file = read_yaml(path, 3)
    plan = file.sections(SECTIONS)
    search = file.mapping(plan.get("search", {}), "search")
    if not search:
        raise file.error("`search` must name at least one option with its range.", "search")
    sweep = Sweep(
        PROGRAMS[_one_of(file, "program", PROGRAMS)],
        file.mapping(plan.get("settings", {}), "settings"),
        {option: _range(file, option, value) for option, value in search.items()},
        _trials(file),
        "asha" if _one_of(file, "scheduler", ("asha", "none"), "none") == "asha" else "none",
        str(plan.get("measure", "")),
        bool(plan.get("lower_is_better", False)),
    )
    _check(file, sweep)
    return sweep


def _check(file: YamlFile, sweep: Sweep) -> None:
    if not sweep.measure:
        raise file.error("`measure` names a column of metrics.jsonl.", "measure")
    if sweep.trials is None and any("choices" not in of for of in sweep.search.values()):
        raise file.error("`trials: all` needs `choices` for each option of `search`.", "trials")
    for option, of in sweep.search.items():
        for value in next(iter(of.values())):
            sweep.check({option: value})


def _range(file: YamlFile, option: str, value: Any) -> dict[str, list[Any]]:
    kind, of = next(iter(value.items())) if is_mapping(value) and len(value) == 1 else ("", None)
    if is_list(of):
        if kind == "choices" and of:
            return {kind: of}
        is_range = len(of) == 2 and all(isinstance(x, int | float) for x in of) and of[0] < of[1]
        if is_range and (kind == "between" or (kind == "log" and of[0] > 0)):
            return {kind: of}
    raise file.error(
        f"`search: {option}` is {{log: [low, high]}}, {{between: [low, high]}} or "
        f"{{choices: [...]}}, got {value!r}.",
        *("search", option),
    )


def _trials(file: YamlFile) -> int | None:
    trials = file.values.get("trials", "all")
    if trials == "all":
        return None
    if type(trials) is int and trials >= 1:
        return trials
    raise file.error(f"`trials` is a number from 1 on, or all; got {trials!r}.", "trials")


def _one_of(file: YamlFile, name: str, allowed: Iterable[str], default: str = "") -> str:
    value = str(file.values.get(name, default))
    if value not in allowed:
        raise file.error(f"`{name}: {value}`: {nearest(value, allowed)}", name)
    return value
