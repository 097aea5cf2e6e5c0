"""Tables for a paper."""

import pytest

from agents.benchmark.report.latex import escape, latex_table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & more_than {1}", r"50 \% \& more\_than \{1\}"),
        ("a\\b", r"a\textbackslash{}b"),
        ("x^2 ~ $3 #1", r"x\textasciicircum{}2 \textasciitilde{} \$3 \#1"),
    ],
)
def test_special_characters_are_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_a_table_has_a_header_and_a_line_for_each_row() -> None:
    table = latex_table([["", "lstm"], ["recall", "0.9"]], "Scores")
    assert r"\begin{tabular}{ll}" in table and r"\caption{Scores}" in table
    lines = table.splitlines()
    assert lines[lines.index(r"\toprule") + 1] == r" & lstm \\"
    assert lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")] == [r"recall & 0.9 \\"]
