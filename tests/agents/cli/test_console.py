"""Tables of programs, and a reader that leaves before they are complete."""

import io

import pytest

from agents.cli.console import Output


class Closed(io.StringIO):
    """A pipe without a reader."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_a_reader_that_has_gone_is_not_hidden_in_a_status() -> None:
    with pytest.raises(BrokenPipeError):
        Output(file=Closed()).print("a table")
