"""Checks of a core's options at construction; errors name what is accepted."""

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
    """Check that each option is at least 1."""
    at_least(1, **options)


def above_zero(**options: int | float) -> None:
    """Each option is above 0 and finite."""
    for name, value in options.items():
        check(name, value, 0 < value < math.inf, "above 0 and finite")


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Check that the option is one of the allowed words."""
    words = list(allowed)
    close = get_close_matches(value, words, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    check(name, repr(value), value in words, f"one of {', '.join(words)}{hint}")


def divisible(name: str, value: int, parts: Mapping[str, int]) -> int:
    """Divide `value` by the product of `parts`; an error if there is a remainder."""
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
    """Check that the shape of one input, without batch, has the rank that the core takes."""
    if len(shape) != len(letters) or min(shape, default=0) < 1:
        expected = ", ".join(letters) + ("," if len(letters) == 1 else "")
        raise ValueError(f"{core} takes inputs of shape ({expected}), was given {shape}")
    return shape
