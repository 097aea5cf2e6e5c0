"""Description of a training command: its name, registries, options and presets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from memory import CORES

USES = {
    "env": "a run of impala.py, which evaluate.py measures, record.py films and plot.py draws",
    "task": "a run of supervised.py, whose test is in its results.json and which plot.py draws",
}
"""What can be done with a run, by the section of its subject."""
CONFIGS = Path(__file__).resolve().parents[2] / "configs"


class HelpGroup(NamedTuple):
    """Options that the short help shows under one heading."""

    heading: str
    keys: tuple[str, ...]


class Program(NamedTuple):
    """A training command.

    Two registries give the subject, which is an environment or a task, and the core.
    """

    name: str
    """File name of its script, such as `impala.py`."""
    about: str
    """One sentence for the help."""
    subject: str
    """Section of the subject's options, and its flag."""
    kind: str
    """Word for a subject."""
    subjects: Mapping[str, Any]
    """Configurations of subjects, or their classes, by name."""
    usual: "Names"
    """The default subject and core."""
    config: Callable[..., Any]
    """The configuration of a run, given its subject and its core."""
    folder: Path
    """Folder of the presets."""
    with_preset: frozenset[str]
    """Subjects that have a preset in that folder; without its file they do not run."""
    resumable: frozenset[str]
    """Options that may change when a run is resumed."""
    help: tuple[HelpGroup, ...]
    """Groups of the short help. The first has no heading; the others are omitted in the help of one
    entry."""

    @property
    def registries(self) -> dict[str, Mapping[str, Any]]:
        """The registry of each section."""
        return {self.subject: self.subjects, "core": CORES}

    def defaults(self, names: "Names") -> Any:
        """The configuration of a subject and a core with default options."""
        entries = {
            section: entry() if isinstance(entry := registry[name], type) else entry
            for (section, registry), name in zip(self.registries.items(), names, strict=True)
        }
        return self.config(**entries)


class Names(NamedTuple):
    """Names of a run's subject and core in the registries."""

    subject: str
    core: str
