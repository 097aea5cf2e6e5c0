"""The help of a training program: one screen with the main options, or every option."""

import shutil
import textwrap
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any, cast

from agents.cli.invocation import shell_command
from agents.cli.options import Option, kind_text, options_of
from agents.cli.presets import preset_names
from agents.cli.program import Names, Program

_LEFT = 32  # columns of the flag


def help_text(
    program: Program, config: Any, names: Names, asked: Collection[str], *, is_long: bool
) -> str:
    """Help that shows the values of a configuration.

    Args:
        names: of the configuration's subject and core.
        asked: sections, of the subject and the core, to show the options of.
        is_long: show every option.
    """
    options, flag = options_of(config), f"--{program.subject} NAME"
    chosen = dict(zip(program.registries, names, strict=True))
    presets = ", ".join(preset_names(program.folder))
    main, *groups = program.help
    lines = [
        f"usage: {shell_command(program.name)} [{flag}] [--core NAME] [--config PRESET] [OPTIONS]",
        "",
        f"{program.about} [Values in use] are in brackets.",
        "",
    ]
    for section, title in zip(program.registries, (program.kind, "recurrent core"), strict=True):
        entries = ", ".join(program.registries[section])
        shown = f"{title.capitalize()}: {entries} [{chosen[section]}]"
        lines += _row(f"--{section} NAME", shown)
    lines += [
        *_row("--config PRESET", f"A YAML file{f', or one of: {presets}' if presets else ''}"),
        *_row("--resume RUN", "Resume the run in a folder"),
    ]
    if is_long:
        lines += _row("--no-core-presets", "Leave out presets for a single core, to compare cores")
        for section, keys in groupby(options, lambda key: key.rpartition(".")[0]):
            lines += ["", f"Options of {section or 'the run'}", *_rows(options, keys)]
        return "\n".join(lines)
    lines += _rows(options, main.keys)
    for section in asked:
        keys = [key for key in options if key.startswith(f"{section}.")]
        lines += ["", f"Options of {section} {chosen[section]}", *_rows(options, keys)]
    for group in groups:
        lines += ["", group.heading, *_rows(options, group.keys)]
    lines += ["", *_row("--core NAME --help", f"The options of a core; likewise {flag} --help")]
    return "\n".join([*lines, *_row("--help-all", "Every option")])


def _rows(options: dict[str, Option], keys: Any) -> list[str]:
    return [line for key in keys for line in _row(_left(options[key]), _right(options[key]))]


def _left(option: Option) -> str:
    if option.kind is not bool:
        return f"{option.flag} {kind_text(option.kind)}"
    return f"{option.flag}, {option.negative_flag}" if option.default else option.flag


def _right(option: Option) -> str:
    value = option.default
    words = cast(Sequence[Any], value if isinstance(value, tuple) else [value])
    shown = " ".join(map(str, words))
    return f"{option.description} [{shown}]".lstrip()


def _row(left: str, right: str) -> list[str]:
    width = max(60, min(100, shutil.get_terminal_size((100, 24)).columns))
    wrapped = textwrap.wrap(right, width - _LEFT, break_on_hyphens=False)
    if len(left) > _LEFT - 4:
        wrapped.insert(0, "")
    first, *rest = wrapped or [""]
    return [f"  {left:<{_LEFT - 2}}{first}".rstrip(), *(" " * _LEFT + line for line in rest)]
