"""From the command line of a training program to the configuration of a run.

The subject (environment or task), the core and the preset files are determined first, then the
values of their options. Later sources override earlier ones:

    defaults < <subject>.yaml < <subject>-<core>.yaml < --config < <config>-<core>.yaml < flags

The files are in the folder of the program, such as `configs/impala/`;
`<config>-<core>.yaml` only if `--config` names a preset there. `--no-core-presets` leaves out those
of a core.
"""

import argparse
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from agents.cli.exit_status import BAD_INPUT, OK, fail
from agents.cli.help import help_text
from agents.cli.options import OptionError, check_effect, nearest, options_of
from agents.cli.presets import (
    COMMAND_LINE_ONLY,
    Preset,
    find_preset,
    preset_settings,
    read_preset,
    to_yaml,
)
from agents.cli.program import Names, Program
from agents.cli.settings import Setting, apply, read_flags

__all__ = ["Names", "ParsedRun", "load_config", "parse", "to_yaml"]


class ParsedRun(NamedTuple):
    """A parsed command line."""

    config: Any
    names: Names
    resume: Path | None
    """The run folder to resume, if any; equals `config.run_dir`."""
    presets: tuple[Path, ...]
    """The preset files that were applied, in order."""


def parse(argv: list[str], program: Program) -> ParsedRun:
    """Parse a command line; on an error prints a message and exits with status 2."""
    try:
        return parse_run(program, argv)
    except OptionError as error:
        raise SystemExit(fail(program.name, error, BAD_INPUT)) from None


class _FirstStage(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message[0].lower()}{message[1:]}.")


def parse_run(program: Program, argv: Sequence[str]) -> ParsedRun:
    """Parse a command line; raises `OptionError` if it is not valid."""
    first = _FirstStage(add_help=False, allow_abbrev=False)
    for flag in ("config", "resume"):
        first.add_argument(f"--{flag}")
    first.add_argument(f"--{program.subject}", dest="subject")
    first.add_argument("--core")
    first.add_argument("--core-presets", action=argparse.BooleanOptionalAction, default=None)
    first.add_argument("--help", "-h", action="store_true")
    first.add_argument("--help-all", action="store_true")
    chosen, flags = first.parse_known_args(argv)

    presets, names = _resumed(program, chosen) if chosen.resume else _presets(program, chosen)
    defaults = program.defaults(names)
    if chosen.help or chosen.help_all:
        print(_help(program, chosen, flags, presets, names))
        raise SystemExit(OK)
    options = options_of(defaults)
    given = read_flags(flags, options, dict(zip(program.registries, names, strict=True)))
    if chosen.resume:
        _check_resumable(program, given)
    config = _configure(defaults, presets, given)
    check_effect(config, [setting.option.key for setting in given], options)
    resume = Path(chosen.resume) if chosen.resume else None
    config = replace(config, run_dir=resume) if resume else config
    return ParsedRun(config, names, resume, tuple(preset.path for preset in presets))


def _help(
    program: Program,
    chosen: argparse.Namespace,
    flags: list[str],
    presets: list[Preset],
    names: Names,
) -> str:
    """The help, with the values in use: those of the presets, and of flags if all are valid."""
    defaults = program.defaults(names)
    config = _configure(defaults, presets)
    with suppress(OptionError):
        given = read_flags(flags, options_of(defaults), dict.fromkeys(program.registries, ""))
        config = _configure(defaults, presets, given)
    sections = zip(program.registries, _named(chosen), strict=True)
    asked = [section for section, name in sections if name]
    return help_text(program, config, names, asked, is_long=chosen.help_all)


def load_config(file: Path, program: Program) -> tuple[Any, Names]:
    """Load a configuration written by `to_yaml`; raises `OptionError` if it cannot be read."""
    preset = read_preset(program, file)
    names = _names(program, (None, None), preset)
    return _configure(program.defaults(names), [preset]), names


def _configure(defaults: Any, presets: Iterable[Preset], flags: Iterable[Setting] = ()) -> Any:
    options = options_of(defaults)
    for preset in presets:
        _drop_command_line_only(preset)
    from_presets = (setting for preset in presets for setting in preset_settings(preset, options))
    return apply(defaults, [*from_presets, *flags])


def _named(chosen: argparse.Namespace) -> tuple[str | None, str | None]:
    """The subject and the core that flags name."""
    return chosen.subject, chosen.core


def _presets(program: Program, chosen: argparse.Namespace) -> tuple[list[Preset], Names]:
    """The preset files in order of application, and the resulting subject and core."""
    folder = program.folder
    asked = read_preset(program, find_preset(program, chosen.config)) if chosen.config else None
    names = _names(program, _named(chosen), asked)
    of_core = chosen.core_presets is not False
    files = [folder / f"{names.subject}.yaml"]
    if names.subject in program.with_preset and not files[0].is_file():
        raise OptionError(
            f"--{program.subject} {names.subject}: its preset {files[0]} is missing; the "
            "installation is incomplete. Install Engram again."
        )
    files += [folder / f"{names.subject}-{names.core}.yaml"] * of_core
    presets = [read_preset(program, file) for file in files if file.is_file()]
    if asked:
        presets.append(asked)
        with_core = asked.path.with_name(f"{asked.path.stem}-{names.core}.yaml")
        if of_core and asked.path.parent == folder and with_core.is_file():
            presets.append(read_preset(program, with_core))
    for preset in presets:
        _check_for(program, preset, names)
        _check_command_line_only(preset)
    # A file that is applied twice, for its subject and by --config, counts at its later place.
    return list({preset.path: preset for preset in reversed(presets)}.values())[::-1], names


def _names(program: Program, flags: tuple[str | None, str | None], asked: Preset | None) -> Names:
    named = (asked.subject, asked.core) if asked else (None, None)
    found = [
        _registered(program, section, flag, name, asked)
        for section, flag, name in zip(program.registries, flags, named, strict=True)
    ]
    return Names(*(name or usual for name, usual in zip(found, program.usual, strict=True)))


def _registered(
    program: Program, section: str, flag: str | None, named: str | None, asked: Preset | None
) -> str | None:
    registry = program.registries[section]
    for name, source in ((named, asked and f"{asked.path}: `{section}:"), (flag, f"--{section}")):
        if name is not None and name not in registry:
            kind = program.kind if section == program.subject else "core"
            closing = "`" if source and source.endswith(":") else ""
            raise OptionError(
                f"{source} {name}{closing}: no such {kind}. {nearest(name, registry)}"
            )
    return flag or named


def _check_for(program: Program, preset: Preset, names: Names) -> None:
    """Refuse a preset that sets options of another subject or core."""
    for section, own, name in zip(
        program.registries, (preset.subject, preset.core), names, strict=True
    ):
        keys = preset.section(section)
        if own not in (None, name) and keys:
            raise OptionError(
                f"{preset.path} sets options of {section} {own} ({', '.join(keys)}), which do not "
                f"go with --{section} {name}. Leave out --{section} {name}, or those options."
            )


def _check_command_line_only(preset: Preset) -> None:
    for key in COMMAND_LINE_ONLY:
        if (entry := preset.entries.get(key)) and entry.value is not None:
            flag = "--" + key.replace("_", "-")
            raise OptionError(
                f"{preset.path}, line {entry.line}: `{key}` is taken from the command line only; "
                f"remove it, and give {flag} {entry.value} if you trust where it leads."
            )


def _drop_command_line_only(preset: Preset) -> None:
    """Ignore what run folders of earlier versions say of such options."""
    for key in COMMAND_LINE_ONLY:
        preset.entries.pop(key, None)


def _resumed(program: Program, chosen: argparse.Namespace) -> tuple[list[Preset], Names]:
    given = {"config": chosen.config, program.subject: chosen.subject, "core": chosen.core}
    for flag, value in given.items():
        if value:
            raise OptionError(f"--{flag} does not go with --resume: the run keeps its own.")
    if chosen.core_presets is not None:
        raise OptionError("--core-presets does not go with --resume: the run keeps its settings.")
    file = Path(chosen.resume) / "config.yaml"
    if not file.is_file():
        hint = " Trained agents go with --resume-weights." * hasattr(
            program.config, "resume_weights"
        )
        raise OptionError(
            f"--resume {chosen.resume}: not a run folder, it has no config.yaml.{hint}"
        )
    preset = read_preset(program, file)
    return [preset], _names(program, (None, None), preset)


def _check_resumable(program: Program, flags: Iterable[Setting]) -> None:
    wrong = [flag.source for flag in flags if flag.option.key not in program.resumable]
    if wrong:
        allowed = ", ".join(sorted("--" + key.replace("_", "-") for key in program.resumable))
        raise OptionError(
            f"{', '.join(wrong)} cannot change when a run is resumed; these can: {allowed}."
        )
