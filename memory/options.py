"""Checks of options: an error names the option, its value and what is allowed."""

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches


def check(name: str, value: object, is_allowed: bool, allowed: str) -> None:
    """Raise a `ValueError`, such as `decay=2: must be from 0 to 1`, unless a value is allowed."""
    if not is_allowed:
        raise ValueError(f"{name}={value}: must be {allowed}")


def at_least(low: int, **options: int | float) -> None:
    """Each option is `low` or more."""
    for name, value in options.items():
        check(name, value, value >= low, f"at least {low}")


def positive(**options: int) -> None:
    """Each option is a count of at least one."""
    at_least(1, **options)


def above_zero(**options: int | float) -> None:
    """Each option is above 0 and finite."""
    for name, value in options.items():
        check(name, value, 0 < value < math.inf, "above 0 and finite")


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """The option is one of the words allowed."""
    words = list(allowed)
    close = get_close_matches(value, words, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    check(name, repr(value), value in words, f"one of {', '.join(words)}{hint}")


def divisible(name: str, value: int, parts: Mapping[str, int]) -> int:
    """What each part gets when `value` is shared out evenly among the product of `parts`."""
    count = 1
    for size in parts.values():
        count *= size
    share, rest = divmod(value, count)
    if rest or not share:
        near = max(1, round(value / count)) * count
        of = " * ".join(f"{part}={size}" for part, size in parts.items())
        raise ValueError(
            f"{name}={value}: must be a multiple of {of} = {count}; the nearest is {near}"
        )
    return share


def input_shape_of(core: str, shape: tuple[int, ...], *letters: str) -> tuple[int, ...]:
    """The shape of one input without its batch axis, of the rank that the core takes."""
    if len(shape) != len(letters) or min(shape, default=0) < 1:
        expected = ", ".join(letters) + ("," if len(letters) == 1 else "")
        raise ValueError(f"{core} takes inputs of shape ({expected}), was given {shape}")
    return shape
