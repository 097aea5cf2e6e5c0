"""One row of the table of faults: what was done, what was measured, and the goal."""

from typing import NamedTuple


class Row(NamedTuple):
    """The result of one kind of fault."""

    fault: str
    """What was done, with how often or how long."""
    measured: str
    """Figures."""
    goal: str
    """What the figures should be."""
    passed: bool
    """Whether they are."""
    figure: str = ""
    """A picture of the measurement as SVG, if there is one."""


class Failed(RuntimeError):
    """A row could not be measured; the message says why, with the program's last output."""
