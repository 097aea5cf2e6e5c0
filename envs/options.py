"""Level parameters given by name: what is wrong with a name, said helpfully."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def check_names(given: Mapping[str, Any], allowed: Iterable[str], *, fixed: Iterable[str] = ()):
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
