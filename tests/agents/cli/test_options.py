"""The options without effect, which every section names itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args, get_origin

import pytest

from agents.cli.options import OptionError, check_effect, idle_options, options_of
from envs import ENVS
from memory import CORES
from memory.supervised import TASKS

ENTRIES = {f"core {name}": entry() for name, entry in CORES.items()}
ENTRIES |= {f"env {name}": entry for name, entry in ENVS.items()}
ENTRIES |= {f"task {name}": entry() for name, entry in TASKS.items()}


@dataclass(frozen=True)
class Section:
    """A section with an option that one value of another makes idle."""

    mode: str = "full"
    size: int = 3

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        return {"size": "--section.mode full"} if self.mode == "full" else {}


@dataclass(frozen=True)
class Run:
    """A run with one section."""

    section: Section = field(default_factory=Section)


def test_an_idle_option_is_refused_only_where_it_was_set() -> None:
    usual = options_of(Run())
    check_effect(Run(), [], usual)
    check_effect(Run(Section("part", 4)), ["section.size"], usual)
    message = "--section.size has no effect with --section.mode full."
    for config, given in ((Run(), ["section.size"]), (Run(Section("full", 4)), [])):
        with pytest.raises(OptionError, match=message):
            check_effect(config, given, usual)


def variants(config: Any) -> Iterator[Any]:
    """The configuration, and each that differs from it in one choice from a list of words."""
    yield config
    for key, option in options_of(config).items():
        for word in get_args(option.kind) if get_origin(option.kind) is Literal else ():
            yield replace(config, **{key: word})


@pytest.mark.parametrize("entry", ENTRIES)
def test_idle_options_exist(entry: str) -> None:
    for config in variants(ENTRIES[entry]):
        assert idle_options(config).keys() <= options_of(config).keys()
