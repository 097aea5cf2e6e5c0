"""Evaluations as tables in a terminal."""

import math
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.evaluation.scores import Evaluation, Score, tidy


def show(evaluation: Evaluation, console: Console, title: str) -> None:
    """Print the overall score, the scores by each level parameter and each pair of them, and the
    step limit if the environment has none."""
    table = _scores_table("levels")
    _add(table, "all", evaluation.score)
    for keys in evaluation.breakdowns():
        if len(keys) == 1:
            table.add_section()
            for (value,), part in evaluation.by(keys).items():
                _add(table, f"{_words(keys[0])} {tidy(value)}", part)
    _print(table, console, title)
    what = "return" if evaluation.score.solved_rate is None else "solved, %"
    for keys in evaluation.breakdowns():
        if len(keys) == 2:
            _print(_grid(evaluation, *keys), console, f"{what}, {_words(keys[1])} across")
    _print_ends(evaluation, console)
    _print_limit(evaluation, console)


def compare(evaluations: Mapping[str, Evaluation], console: Console, title: str) -> None:
    """Print the overall scores of several players, one per line."""
    table = _scores_table("player")
    for name, evaluation in evaluations.items():
        _add(table, name, evaluation.score)
    _print(table, console, title)
    for name, evaluation in evaluations.items():
        _print_limit(evaluation, console, f"{name}: ")


def _print_ends(evaluation: Evaluation, console: Console) -> None:
    """How the episodes ended that were not solved."""
    late = [
        late
        for episode, late in zip(evaluation.episodes, evaluation.out_of_time, strict=True)
        if episode.info.get("solved") == 0
    ]
    if late:
        console.print(f"Not solved: {len(late)} episodes, {sum(late)} of them out of time.")


def _print_limit(evaluation: Evaluation, console: Console, prefix: str = "") -> None:
    if evaluation.max_steps is None:
        return
    text = (
        f"{prefix}{evaluation.num_limited} of {len(evaluation.episodes)} episodes were truncated "
        f"after {evaluation.max_steps:,} steps (--max-steps): the environment has no limit."
    )
    console.print(Text(text))


def _print(table: Table, console: Console, title: str) -> None:
    console.print(Text(title, "bold"))  # not the table's own title, which would be wrapped
    console.print(table)


def _scores_table(first: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column(first)
    for name in ("episodes", "return ± 95 %", "solved, % [95 %]", "length"):
        table.add_column(Text(name), justify="right")
    return table


def _add(table: Table, name: str, part: Score) -> None:
    half = part.return_interval[1] - part.mean_return
    mean_return = f"{part.mean_return:.2f}" + (f" ± {half:.2f}" if math.isfinite(half) else "")
    solved = "-"
    if part.solved_rate is not None and part.solved_interval is not None:
        low, high = (100 * bound for bound in part.solved_interval)
        solved = f"{100 * part.solved_rate:.1f} [{low:.1f} {high:.1f}]"
    row = (name, str(part.episodes), mean_return, solved, f"{part.mean_length:.1f}")
    table.add_row(*map(Text, row))  # as text: brackets in a string are markup


def _grid(evaluation: Evaluation, down: str, across: str) -> Table:
    """A number for each pair of values: the solved rate, or the return if nothing is solved."""
    scores = evaluation.by((down, across))
    table = Table(box=SIMPLE_HEAD)
    table.add_column(_words(down), justify="right")
    columns = sorted({level[1] for level in scores})
    for column in columns:
        table.add_column(str(tidy(column)), justify="right")
    for row in sorted({level[0] for level in scores}):
        cells = (_cell(scores.get((row, column))) for column in columns)
        table.add_row(str(tidy(row)), *cells)
    return table


def _cell(part: Score | None) -> str:
    if part is None:
        return ""
    if part.solved_rate is None:
        return f"{part.mean_return:.2f}"
    return f"{100 * part.solved_rate:.0f}"


def _words(name: str) -> str:
    return name.replace("_", " ")
