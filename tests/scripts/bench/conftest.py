"""The scripts import one another by name, as Python does for a script's own folder."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder_of_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Behind the repository, as the scripts themselves have it: one of them is called `envs`, too.
    folder = Path(__file__).parents[3] / "scripts/bench"
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
