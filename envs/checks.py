"""Checks of values given by name; an error says what was given and what is allowed."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

MAX_INT32 = 2**31 - 1


def check_names(
    given: Mapping[str, Any], allowed: Iterable[str], *, fixed: Iterable[str] = ()
) -> None:
    """Reject names that are unknown, or fixed when the environment was made.

    Raises:
        ValueError: names the option, and the nearest one that exists.
    """
    allowed, fixed = list(allowed), list(fixed)
    for name in given:
        if name in fixed:
            raise ValueError(
                f"option {name!r} is fixed when the environment is made; "
                f"a reset can change {', '.join(allowed)}"
            )
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"unknown option {name!r}; {hint}allowed are {', '.join(allowed)}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Reject a value that is none of the choices.

    Raises:
        ValueError: names the option, the choices, and the nearest one.
    """
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name}={value!r}: must be one of {', '.join(choices)}{hint}")


def check_whole(name: str, value: Any, low: int, high: int | None = None) -> None:
    """Reject what is not a whole number from `low` to `high`.

    Raises:
        ValueError: names the option and the range.
    """
    if not _is_whole(value, low, high):
        raise ValueError(f"{name}={value!r}: must be {_allowed(low, high)}")


def check_numbers(name: str, values: Sequence[Any], low: int, high: int | None = None) -> None:
    """Reject an empty sequence, and one with a number outside `low` to `high`.

    Raises:
        ValueError: names the option and the range.
    """
    if len(values) == 0:
        raise ValueError(f"{name}=(): must be {_allowed(low, high)}")
    for value in values:
        if not _is_whole(value, low, high):
            raise ValueError(f"{name}={value!r}: must be {_allowed(low, high)}")


def check_view_size(value: Any, largest: int) -> None:
    """Reject a window without a centre, or larger than `largest` cells on a side.

    Raises:
        ValueError: names the option and the range.
    """
    check_whole("view_size", value, 3, largest)
    if value % 2 == 0:
        raise ValueError(f"view_size={value}: must be odd, to have a centre")


def as_numbers(value: int | Sequence[int] | np.ndarray) -> tuple[int, ...]:
    """One number or several, as a tuple of whole numbers."""
    return tuple(int(v) for v in np.atleast_1d(np.asarray(value)))


def _is_whole(value: Any, low: int, high: int | None) -> bool:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        return False
    return bool(low <= value and (high is None or value <= high))


def _allowed(low: int, high: int | None) -> str:
    return "a whole number, " + (f"at least {low}" if high is None else f"from {low} to {high}")
