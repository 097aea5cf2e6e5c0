"""Checks of options, with one wording for values that are refused."""

import math
from typing import Any


def check(name: str, value: Any, is_allowed: bool, allowed: str) -> None:
    if not is_allowed:
        raise ValueError(f"--{name.replace('_', '-')} {value} is out of range: {allowed}.")


def at_least(low: int, name: str, value: int | float) -> None:
    check(name, value, value >= low, f"at least {low}")


def above_zero(name: str, value: int | float) -> None:
    check(name, value, 0 < value < math.inf, "above 0 and finite")
