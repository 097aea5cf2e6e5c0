"""The state of a supervised run, as text for the screen."""

from typing import NamedTuple


class Status(NamedTuple):
    """The state of a supervised run; loss and accuracy are means since the last report."""

    step: int
    steps_per_second: float
    loss: float
    accuracy: float


def describe(status: Status, steps: int, measure: str, validation: float | None) -> str:
    """One line of text.

    Args:
        steps: at which the run ends.
        measure: name of the result of a validation that is shown.
        validation: its last value; None before the first validation.
    """
    parts = [
        f"step {status.step:,} of {steps:,}",
        f"{status.steps_per_second:,.1f}/s",
        f"loss {status.loss:.3g}",
        f"accuracy {status.accuracy:.1%}",
    ]
    if validation is not None:
        parts.append(f"validation {measure} {validation:.4g}")
    return " · ".join(parts)
