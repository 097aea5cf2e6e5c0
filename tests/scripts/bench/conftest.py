"""The scripts import one another by name, as Python does for a script's own folder."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder_of_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "scripts/bench"))
