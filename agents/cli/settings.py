"""The values of flags and presets, converted to the types of their options."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

import yaml

from agents.cli.options import (
    Option,
    OptionError,
    did_you_mean,
    find_option,
    key_of,
    kind_text,
    options_of,
    unknown_flag,
)


class Setting(NamedTuple):
    """The value of one option, and where it was set."""

    option: Option
    value: Any
    """For a mapping, only the entries that were set."""
    source: str
    """The flag as given, or the file and line."""
    is_flag: bool


def read_flags(
    arguments: Iterable[str], options: dict[str, Option], names: dict[str, str]
) -> list[Setting]:
    """The settings of a command line.

    Args:
        names: the entry chosen from each registry, for the messages.

    Raises:
        OptionError: a value has the wrong type, or options do not exist; names all of them.
    """
    found, unknown = list[Setting](), list[str]()
    for flag, words in _split(arguments):
        option = find_option(flag, options)
        if option is None:
            unknown.append(str(unknown_flag(flag, options, names)))
        else:
            found.append(Setting(option, _flag_value(option, flag, words), flag, True))
    if unknown:
        raise OptionError("\n".join(unknown))
    return found


def _split(arguments: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Each flag with the words after it."""
    groups = list[tuple[str, list[str]]]()
    for word in arguments:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            groups.append((flag, [value] if equals else []))
        elif groups:
            groups[-1][1].append(word)
        else:
            raise OptionError(f"{word}: options start with two dashes.")
    return groups


def _flag_value(option: Option, flag: str, words: list[str]) -> Any:
    if option.is_mapping:
        entry = key_of(flag).removeprefix(option.key).removeprefix(".")
        if not entry or len(words) != 1:
            raise OptionError(f"{flag}: expected {option.flag}.NAME VALUE.")
        try:
            return {entry: yaml.safe_load(words[0])}
        except (yaml.YAMLError, ValueError):
            raise OptionError(f"{flag}: not a YAML value: {words[0]}") from None
    if option.kind is bool and not words:
        return key_of(flag) == option.key
    return convert(option, words)


def convert(option: Option, words: Sequence[str]) -> Any:
    """Convert words of the command line; raises `OptionError` if they are not valid."""
    try:
        if get_origin(option.kind) is not tuple:
            (word,) = words
            return _convert_word(option.kind, word)
        kinds = get_args(option.kind)
        kinds = kinds[:1] * len(words) if kinds[-1] is ... else kinds
        return tuple(_convert_word(k, word) for k, word in zip(kinds, words, strict=True))
    except ValueError:
        given = " ".join((option.flag, *words))
        hint = did_you_mean(" ".join(words), map(str, _choices(option.kind)))
        raise OptionError(f"{given}: expected {kind_text(option.kind)}. {hint}".rstrip()) from None


def _convert_word(kind: Any, word: str) -> Any:
    if choices := _choices(kind):
        return choices[[*map(str, choices)].index(word)]
    if kind is int:
        return _whole(word)
    if not get_args(kind):
        return kind(word)
    for part in sorted(get_args(kind), key=lambda part: part is not NoneType):
        with suppress(ValueError):
            return _convert_word(part, word)
    raise ValueError


def _whole(word: str) -> int:
    """An integer, also as `1_000_000` or `1e6`."""
    with suppress(ValueError):
        return int(word)
    number = Decimal(word) if re.fullmatch(r"[+-]?[\d.]+[eE][+-]?\d{1,2}", word) else None
    if number is None or number != number.to_integral_value():
        raise ValueError
    return int(number)


def _choices(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    return {bool: (True, False), NoneType: (None,)}.get(kind, ())


def apply(config: Any, settings: Iterable[Setting]) -> Any:
    """Apply settings to a configuration; later ones override earlier ones.

    Raises:
        OptionError: a value is not valid; names the option, and the line of its preset.
    """
    last = dict[str, Setting]()
    for setting in settings:
        key, value = setting.option.key, setting.value
        if setting.option.is_mapping:
            value = {**(last[key].value if key in last else setting.option.default), **value}
        last[key] = setting._replace(value=value)
    sections = dict[str, dict[str, Any]]()
    for key, setting in last.items():
        section, _, name = key.rpartition(".")
        sections.setdefault(section, {})[name] = setting.value
    top = sections.pop("", {})
    section = ""
    try:
        for section, values in sections.items():
            top[section] = replace(getattr(config, section), **values)
        section = ""
        return replace(config, **top)
    except ValueError as error:
        raise OptionError(_explain(str(error), section, options_of(config), last)) from None


def _explain(
    text: str, section: str, options: dict[str, Option], settings: dict[str, Setting]
) -> str:
    """The error of a section, with flags in place of names, and lines of presets."""
    prefix = f"{section}." if section else ""
    name, equals, rest = text.partition("=")
    if equals and (option := options.get(prefix + name)):
        text = f"{option.flag} {rest}"
    elif section and "--" not in text:
        text = f"{section}: {text}"
    lines = [text]
    for key, setting in settings.items():
        flag, name = re.escape(setting.option.flag), key.removeprefix(prefix)
        is_about = re.search(rf"{flag}(?![\w.-])", text) or (
            section and key.startswith(prefix) and re.search(rf"\b{name}\b", text)
        )
        if is_about and not setting.is_flag:
            lines.append(f"{setting.option.flag} is from {setting.source}.")
    return "\n".join(lines)
