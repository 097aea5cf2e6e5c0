"""Options of the test suite."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        type=Path,
        default=Path(__file__).parents[1] / "../shared/golden",
        metavar="DIR",
        help="folder of numbers made by the original programs [../shared/golden]",
    )
