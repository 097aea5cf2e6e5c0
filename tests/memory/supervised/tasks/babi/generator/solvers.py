"""What answers the questions of each task, given the text of the facts alone."""

from collections.abc import Callable, Sequence

from tests.memory.supervised.tasks.babi.generator import solve_people as people
from tests.memory.supervised.tasks.babi.generator import solve_things as things

SOLVERS: dict[int, Callable[[Sequence[str], str], str]] = {
    1: people.where,
    2: people.where,
    3: people.where_before,
    4: things.what_lies,
    5: people.who_gave,
    6: people.is_there,
    7: people.how_many,
    8: people.what,
    9: people.is_there_perhaps,
    10: people.is_there_perhaps,
    11: people.where,
    12: people.where,
    13: people.where,
    14: people.where_before_in_time,
    15: things.afraid_of,
    16: things.colour,
    17: things.is_side,
    18: things.is_larger,
    19: things.path,
    20: people.why,
}
