"""The options of a run as a flat list: their names, types, defaults and descriptions.

Preset files and the command line are checked against the same list, with the same errors.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from itertools import pairwise
from types import NoneType
from typing import Any, NamedTuple, cast, get_args, get_origin, get_type_hints

ALIASES = {"video_every": "video_minutes"}
"""Other spellings of an option."""
_ALL_FLAGS = "--help-all lists them."


class OptionError(ValueError):
    """The command line or a preset is not valid; the message says why."""


class Option(NamedTuple):
    """One setting of a run. `loss.discount` is its key, `--loss.discount` its flag."""

    key: str
    kind: Any
    default: Any
    description: str

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return "--" + self.key.replace("_", "-")

    @property
    def is_mapping(self) -> bool:
        """Whether its value is a dictionary with names of its own."""
        return (get_origin(self.kind) or self.kind) in (dict, Mapping)

    @property
    def negative_flag(self) -> str:
        """The flag that turns it off: `--policy.no-last-action`."""
        owner, dot, name = self.flag.removeprefix("--").rpartition(".")
        return f"--{owner}{dot}no-{name}"


def options_of(config: Any, prefix: str = "") -> dict[str, Option]:
    """Every option of a configuration, by key, in the order of its fields."""
    kind = cast(type[Any], type(config))
    kinds, descriptions = get_type_hints(kind), _descriptions(kind)
    found: dict[str, Option] = {}
    for field in fields(config):
        key, value = prefix + field.name, getattr(config, field.name)
        if is_dataclass(value):
            found |= options_of(value, f"{key}.")
        else:
            found[key] = Option(key, kinds[field.name], value, descriptions.get(field.name, ""))
    return found


@functools.cache
def _descriptions(config_class: type) -> dict[str, str]:
    """The strings written under the fields of a dataclass."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(config_class))).body[0]
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def key_of(spelling: str) -> str:
    """The key of an option, from a flag or from a key with dashes."""
    key = spelling.removeprefix("--").replace("-", "_")
    return ALIASES.get(key, key)


def find_option(spelling: str, options: dict[str, Option]) -> Option | None:
    """The option of a key of a preset (`batch`) or a flag (`--policy.no-last-action`)."""
    key = key_of(spelling)
    owner, dot, name = key.rpartition(".")
    mapping, switch = options.get(owner), options.get(owner + dot + name.removeprefix("no_"))
    if key not in options and mapping and mapping.is_mapping:
        return mapping
    if key not in options and switch and switch.kind is bool and spelling.startswith("--"):
        return switch
    return options.get(key)


def kind_text(kind: Any) -> str:
    """A type in the notation of the help: `INT`, `INT|auto`, `INT ...`, `INT INT`."""
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        return " ".join("..." if part is ... else kind_text(part) for part in parts)
    if isinstance(kind, str):
        return kind
    if (get_origin(kind) or kind) is Mapping:
        return "MAPPING"
    if get_args(kind):
        return "|".join(kind_text(part) for part in get_args(kind) if part is not NoneType)
    return "True|False" if kind is bool else kind.__name__.upper()


def nearest(given: str, allowed: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest name, or all names."""
    allowed = list(allowed)
    return did_you_mean(given, allowed) or f"There are: {', '.join(allowed)}."


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """A suggestion of the nearest name; empty if none is near."""
    close = get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f"Did you mean {close[0]}?" if close else ""


def unknown_flag(given: str, options: dict[str, Option], names: dict[str, str]) -> OptionError:
    """The error for an unknown flag; `names` are the chosen `env` and `core`."""
    section = given.removeprefix("--").partition(".")[0]
    if "." not in given or section not in names:
        return OptionError(f"{given}: no such option. {_nearest_flag(given, options)}")
    own = {key: option for key, option in options.items() if key.startswith(f"{section}.")}
    return OptionError(
        f"{given}: {section} {names[section]} has no such option. {_nearest_flag(given, own)}"
    )


def _nearest_flag(given: str, options: dict[str, Option]) -> str:
    flags = [option.flag for option in options.values()]
    flags += ["--" + alias.replace("_", "-") for alias, key in ALIASES.items() if key in options]
    if not flags:
        return "It has no options."
    given = given.replace("_", "-")
    return nearest(given, flags) if len(flags) < 16 else did_you_mean(given, flags) or _ALL_FLAGS


def idle_options(config: Any, prefix: str = "") -> dict[str, str]:
    """The options without effect, by key: `idle()` of a configuration and its sections."""
    own: dict[str, str] = getattr(config, "idle", dict)()
    found = {prefix + name: reason for name, reason in own.items()}
    for field in fields(config):
        if is_dataclass(value := getattr(config, field.name)):
            found |= idle_options(value, f"{prefix}{field.name}.")
    return found


def check_effect(config: Any, given: Collection[str], defaults: dict[str, Option]) -> None:
    """Refuse options that were set but change nothing in this combination.

    Args:
        config: the run.
        given: keys given on the command line, including those that repeat the default.
        defaults: the options of the chosen environment and core before anything was set.
    """
    values = options_of(config)
    for key, reason in idle_options(config).items():
        if key in given or values[key].default != defaults[key].default:
            raise OptionError(f"{values[key].flag} has no effect with {reason}.")
