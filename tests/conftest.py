"""Fixtures of all tests."""

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

import pytest

from memory.supervised.data import data_folder
from tests.fake_gpu import pretend

with pytest.MonkeyPatch.context() as patch, suppress(ImportError):
    # Triton's own functions are interpreted if this is set when it is imported, by torch or by us.
    patch.setenv("TRITON_INTERPRET", "1")
    import_module("triton.language")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the user has downloaded or prepared changes no test, and no test leaves any there."""
    caches = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_folder, "CACHE", caches / "data")
        patch.setenv("ENGRAM_CACHE", str(caches / "prepared"))
        patch.setenv("COLUMNS", "100")  # help is wrapped alike wherever the tests run
        yield


@pytest.fixture
def gpu(monkeypatch):
    """A GPU that knows shapes, but no numbers."""
    return pretend(monkeypatch)
