"""From the command line of `scripts/impala.py` to the configuration of a run.

Two stages. The first, here, finds which environment, core and preset files are meant. The second
(`agents.typed_parser`) reads the values. The later wins:

    defaults < <env>.yaml < <env>-<core>.yaml < --config < <config>-<core>.yaml < flags

Those files are looked for in `configs/impala/`; `<config>-<core>.yaml` only if `--config` names a
preset there.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from agents.config import ImpalaConfig
from agents.help import short_help
from agents.options import (
    Option,
    OptionError,
    check_effect,
    find_option,
    nearest,
    options_of,
    unknown_flag,
)
from agents.presets import FOLDER, Names, Preset, find_preset, read_preset, to_yaml
from agents.typed_parser import parse_typed
from envs import ENVS
from memory import CORES

__all__ = ["Names", "ParsedRun", "load_config", "parse", "to_yaml"]

PROGRAM = "impala.py"

RESUMABLE = frozenset(
    {
        "frames",
        "workers",
        "device",
        "learner_threads",
        "ray_address",
        "checkpoint_minutes",
        "log_seconds",
        "on_env_error",
        "video_minutes",
    }
)
"""Options that may change when a run is resumed; the others would make it another run."""


class ParsedRun(NamedTuple):
    """What the command line asks for."""

    config: ImpalaConfig
    names: Names
    resume: Path | None
    """The run folder to go on with; it is `config.run_dir` then."""
    presets: tuple[Path, ...]
    """The preset files that had a say, the strongest last."""


def parse(argv: list[str]) -> ParsedRun:
    """Read a command line; on a mistake say which on stderr and leave with exit status 2."""
    try:
        return _parse(argv)
    except OptionError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


class _FirstStage(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message[0].lower()}{message[1:]}.")


def _parse(argv: list[str]) -> ParsedRun:
    first = _FirstStage(add_help=False, allow_abbrev=False)
    for flag in ("--config", "--env", "--core", "--resume"):
        first.add_argument(flag)
    first.add_argument("--help", "-h", action="store_true")
    first.add_argument("--help-all", action="store_true")
    chosen, flags = first.parse_known_args(argv)

    presets, names = _resumed(chosen) if chosen.resume else _presets(chosen)
    defaults = _defaults(names)
    if chosen.help:
        config = parse_typed(presets, defaults, [])
        print(
            short_help(
                config, names.env if chosen.env else None, names.core if chosen.core else None
            )
        )
        raise SystemExit(0)
    given = _given(flags, options_of(defaults), names)
    if chosen.resume:
        _check_resumable(given)
    config = parse_typed(presets, defaults, [*flags, *(["--help"] if chosen.help_all else [])])
    check_effect(config, given, options_of(defaults))
    resume = Path(chosen.resume) if chosen.resume else None
    config = replace(config, run_dir=resume) if resume else config
    return ParsedRun(config, names, resume, tuple(preset.path for preset in presets))


def load_config(file: Path) -> tuple[ImpalaConfig, Names]:
    """The run in a file that `to_yaml` wrote; raises `OptionError` where it cannot be read."""
    preset = read_preset(file)
    names = _names(argparse.Namespace(env=None, core=None), preset)
    return parse_typed([preset], _defaults(names), []), names


def _defaults(names: Names) -> ImpalaConfig:
    return ImpalaConfig(env=ENVS[names.env], core=CORES[names.core]())


def _presets(chosen: argparse.Namespace) -> tuple[list[Preset], Names]:
    """The files to apply, the weakest first, and the environment and core that result."""
    asked = read_preset(find_preset(chosen.config)) if chosen.config else None
    names = _names(chosen, asked)
    files = [FOLDER / f"{names.env}.yaml", FOLDER / f"{names.env}-{names.core}.yaml"]
    presets = [read_preset(file) for file in files if file.is_file()]
    if asked:
        presets.append(asked)
        with_core = asked.path.with_name(f"{asked.path.stem}-{names.core}.yaml")
        if asked.path.parent == FOLDER and with_core.is_file():
            presets.append(read_preset(with_core))
    for preset in presets:
        _check_for(preset, names)
    # A file that comes in twice, for its environment and by --config, counts where it is stronger.
    return list({preset.path: preset for preset in reversed(presets)}.values())[::-1], names


def _names(chosen: argparse.Namespace, asked: Preset | None) -> Names:
    env = _registered("env", chosen.env, asked and asked.env, ENVS, asked)
    core = _registered("core", chosen.core, asked and asked.core, CORES, asked)
    return Names(env or "boxworld", core or "rmc")


def _registered(
    section: str,
    flag: str | None,
    named: str | None,
    registry: dict[str, Any],
    asked: Preset | None,
) -> str | None:
    for name, source in ((named, asked and f"{asked.path}: `{section}:"), (flag, f"--{section}")):
        if name is not None and name not in registry:
            kind = {"env": "environment", "core": "core"}[section]
            closing = "`" if source and source.endswith(":") else ""
            raise OptionError(
                f"{source} {name}{closing}: no such {kind}. {nearest(name, registry)}"
            )
    return flag or named


def _check_for(preset: Preset, names: Names) -> None:
    """A preset that sets options of one environment or core is no use for another."""
    for section, name in names._asdict().items():
        own, keys = getattr(preset, section), preset.section(section)
        if own not in (None, name) and keys:
            raise OptionError(
                f"{preset.path} sets options of {section} {own} ({', '.join(keys)}), which do not "
                f"go with --{section} {name}. Leave out --{section} {name}, or those options."
            )


def _resumed(chosen: argparse.Namespace) -> tuple[list[Preset], Names]:
    for flag in ("config", "env", "core"):
        if getattr(chosen, flag):
            raise OptionError(f"--{flag} does not go with --resume: the run keeps its own.")
    file = Path(chosen.resume) / "config.yaml"
    if not file.is_file():
        raise OptionError(f"--resume {chosen.resume}: not a run folder, it has no config.yaml.")
    preset = read_preset(file)
    return [preset], _names(chosen, preset)


def _check_resumable(given: dict[str, str]) -> None:
    wrong = [flag for key, flag in given.items() if key not in RESUMABLE]
    if wrong:
        allowed = ", ".join(sorted("--" + key.replace("_", "-") for key in RESUMABLE))
        raise OptionError(
            f"{', '.join(wrong)} cannot change when a run is resumed; these can: {allowed}."
        )


def _given(flags: list[str], options: dict[str, Option], names: Names) -> dict[str, str]:
    """The options on the command line: their keys, and how they were written."""
    written = [flag for flag in flags if flag.startswith("--") and not flag.startswith("--tyro-")]
    found = {flag: find_option(flag, options) for flag in written}
    unknown = [unknown_flag(flag, options, names._asdict()) for flag in written if not found[flag]]
    if unknown:
        raise OptionError("\n".join(map(str, unknown)))
    return {option.key: flag.partition("=")[0] for flag, option in found.items() if option}
