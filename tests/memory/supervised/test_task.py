"""What a task's configuration must define, and the messages where it does not."""

from dataclasses import dataclass

import pytest

from memory.supervised import TASKS, TaskConfig
from tests.memory.supervised.tasks.small_data import write_data
from tests.memory.supervised.tasks.small_tasks import Stream


@dataclass(frozen=True, kw_only=True)
class StreamConfig(TaskConfig):
    """The least that a configuration can be."""

    def build(self, seed: int) -> Stream:
        """Make the task."""
        return Stream()


@dataclass(frozen=True, kw_only=True)
class FilesConfig(StreamConfig):
    """Reads a data set that the tests do not know."""

    @property
    def data_sets(self) -> tuple[str, ...]:
        """One."""
        return ("scrolls",)


def test_every_task_of_the_registry_has_a_plain_small_configuration():
    for config in TASKS.values():
        assert issubclass(config, TaskConfig)
        assert next(iter(config.small())) == ""


def test_by_default_a_task_reads_no_files_and_all_its_options_count(tmp_path):
    assert StreamConfig().data_sets == () and StreamConfig().idle() == {}
    assert not list(write_data(tmp_path, StreamConfig()).iterdir())


def test_a_configuration_that_makes_no_task_is_refused():
    with pytest.raises(TypeError, match=r"class TaskConfig .* method '?build"):
        TaskConfig()  # pyright: ignore[reportAbstractUsage]


def test_a_task_without_small_configurations_is_named():
    message = r"StreamConfig has no small configuration .*: define the class method small\(\)"
    with pytest.raises(TypeError, match=message):
        StreamConfig.small()


def test_a_task_whose_data_the_tests_cannot_make_is_named(tmp_path):
    message = "FilesConfig reads the data set 'scrolls', .*: add a function .* to MAKERS of tests"
    with pytest.raises(LookupError, match=message):
        write_data(tmp_path, FilesConfig())
