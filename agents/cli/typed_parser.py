"""The values of presets and flags, read by one typed parser.

Presets become flags and the user's flags come behind them, so that a preset and the command line
share one syntax, one check and one message.
"""

import contextlib
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import tyro
import yaml

from agents.cli.options import Option, OptionError, find_option, options_of
from agents.cli.presets import Preset, preset_flags, preset_mappings
from agents.cli.program import Program


def parse_typed(program: Program, presets: list[Preset], defaults: Any, flags: list[str]) -> Any:
    """The defaults, changed by the presets in their order and then by the flags.

    Raises:
        OptionError: a value is refused; the message names the option, and the line of its preset.
    """
    options, config, arguments = options_of(defaults), defaults, list[str]()
    for preset in presets:
        arguments += preset_flags(preset, options)
        config = _with_mappings(config, preset_mappings(preset, options))
    flags, mappings = _split_mappings(flags, options)
    config = _with_mappings(config, mappings)
    with _explained(presets, options, flags):
        return tyro.cli(
            type(defaults),
            args=[*arguments, *flags],
            default=config,
            prog=program.name,
            config=(tyro.conf.AvoidSubcommands,),
        )


def _split_mappings(
    flags: list[str], options: dict[str, Option]
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Take out the flags that set an entry of a mapping: `--env.kwargs.size 3`, the value YAML."""
    rest, found, remaining = list[str](), dict[str, dict[str, Any]](), list(flags)
    while remaining:
        flag = remaining.pop(0)
        option = find_option(flag, options) if flag.startswith("--") else None
        if option is None or not option.is_mapping:
            rest.append(flag)
            continue
        name, given, value = flag.partition("=")
        entry = name.removeprefix("--").replace("-", "_").removeprefix(f"{option.key}.")
        if entry == option.key or not (given or remaining):
            raise OptionError(f"{name}: expected {option.flag}.NAME VALUE.")
        found.setdefault(option.key, {})[entry] = _yaml(name, value if given else remaining.pop(0))
    return rest, found


def _yaml(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise OptionError(f"{name}: not a YAML value: {text}") from None


def _with_mappings(config: Any, mappings: dict[str, dict[str, Any]]) -> Any:
    for key, values in mappings.items():
        section, name = key.split(".")
        owner = getattr(config, section)
        owner = replace(owner, **{name: {**getattr(owner, name), **values}})
        config = replace(config, **{section: owner})
    return config


@contextlib.contextmanager
def _explained(
    presets: list[Preset], options: dict[str, Option], flags: list[str]
) -> Iterator[None]:
    """Turn what the parser refuses into an error of ours, with the line of the preset."""
    messages = io.StringIO()
    try:
        with contextlib.redirect_stderr(messages):
            yield
    except SystemExit as end:
        if not end.code:  # help, or a completion script
            raise
        text = _unboxed(messages.getvalue())
        given = {option.key for flag in flags if (option := find_option(flag, options))}
        for preset in presets:
            for key, entry in preset.entries.items():
                option = find_option(key, options)
                if option and option.key not in given and _is_about(text, option):
                    text += f"\n{option.flag} is from {preset.path}, line {entry.line}."
        raise OptionError(text) from None


def _unboxed(message: str) -> str:
    """The first paragraph of the parser's message, out of its frame."""
    lines = [line.strip("│╭╮╰╯─ ") for line in message.splitlines() if line.strip()]
    paragraph = list(itertools.takewhile(bool, lines[1:]))
    return " ".join(paragraph) or message


def _is_about(text: str, option: Option) -> bool:
    """Whether an error names an option: `--actors -1 is ...`, or a word in one of the `env`."""
    if re.search(rf"{re.escape(option.flag)}(?![\w.-])", text):
        return True
    section, _, name = option.key.rpartition(".")
    return f"Error parsing {section}:" in text and bool(re.search(rf"\b{name}\b", text))
