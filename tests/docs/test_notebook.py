"""The notebook runs from top to bottom, and holds no results."""

import json
from pathlib import Path

import matplotlib as mpl
import pytest

from tests.docs.literal import ROOT

CELLS = json.loads((ROOT / "docs/tour.ipynb").read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_the_notebook_is_stored_without_results() -> None:
    assert CODE
    kept = [cell for cell in CELLS if cell.get("outputs") or cell.get("execution_count")]
    assert not kept


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_notebook_runs_in_three_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    names = {"__name__": "notebook"}
    for code in CODE:
        exec(compile(code, "tour.ipynb", "exec"), names)
    printed = capsys.readouterr().out
    assert "return 1" in printed and "rmc: output (5, 2, 1024)" in printed
