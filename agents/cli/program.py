"""What a training command is made of: its name, what it chooses between, and its presets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from memory import CORES

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


class HelpGroup(NamedTuple):
    """Options that the short help shows under one heading."""

    heading: str
    keys: tuple[str, ...]


class Program(NamedTuple):
    """A training command.

    It chooses one entry from each of two registries: the subject, what is to be learnt (an
    environment), and the core.
    """

    name: str
    """As it is typed: `impala.py`."""
    about: str
    """What it does, in a sentence."""
    subject: str
    """The section of the subject's options, and the flag that names it."""
    kind: str
    """What a subject is called."""
    subjects: Mapping[str, Any]
    """Configurations of subjects, or their classes, by name."""
    usual: "Names"
    """What is chosen where nothing is."""
    config: Callable[..., Any]
    """The configuration of a run, given its subject and its core."""
    folder: Path
    """Where presets are looked for by name."""
    resumable: frozenset[str]
    """Options that may change when a run is resumed; the others would make it another run."""
    help: tuple[HelpGroup, ...]
    """The first group has no heading; the others are left out where one entry is asked about."""

    @property
    def registries(self) -> dict[str, Mapping[str, Any]]:
        """The entries of each section, by the section."""
        return {self.subject: self.subjects, "core": CORES}

    def defaults(self, names: "Names") -> Any:
        """A run of the entries named, nothing else set."""
        entries = {
            section: entry() if isinstance(entry := registry[name], type) else entry
            for (section, registry), name in zip(self.registries.items(), names, strict=True)
        }
        return self.config(**entries)


class Names(NamedTuple):
    """What the registries call the subject and the core of a run."""

    subject: str
    core: str
