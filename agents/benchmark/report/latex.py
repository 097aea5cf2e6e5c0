"""Tables of a report for a paper, in LaTeX."""

import re

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "·": r"\textperiodcentered{}",
    "×": r"\texttimes{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def latex_table(grid: list[list[str]], caption: str) -> str:
    """A table with the rules of the package booktabs.

    Args:
        grid: the header, then the rows.
    """
    head, *lines = [" & ".join(map(escape, line)) + r" \\" for line in grid]
    columns = "l" * len(grid[0])
    body = "\n".join(lines)
    return f"""\\begin{{table}}
\\centering
\\caption{{{escape(caption)}}}
\\begin{{tabular}}{{{columns}}}
\\toprule
{head}
\\midrule
{body}
\\bottomrule
\\end{{tabular}}
\\end{{table}}
"""


def escape(text: str) -> str:
    """The text with LaTeX's special characters escaped."""
    pattern = "[" + re.escape("".join(_ESCAPED)) + "]"
    return re.sub(pattern, lambda found: _ESCAPED[found.group()], text)
