"""What the type of a value leaves open: whether it is there."""

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value, such as the gradient of a leaf, which must not be None."""
    assert value is not None
    return value
