"""The first Learning to Execute: its programs are executed by Python itself."""

import re
from collections import Counter
from random import Random

import pytest

from memory.supervised.tasks.learning_to_execute.written import ALPHABET, Program
from memory.supervised.tasks.learning_to_execute.zaremba_programs import (
    OPERATIONS,
    draw_of_share,
    draw_program,
    share_of,
    small_loop,
)


def run(program: Program) -> str:
    """What a program prints, and a full stop."""
    printed = []
    lines = program.text.replace("#", "\n")
    exec(lines, {"print": printed.append, "range": range, "__builtins__": {}})
    return f"{printed[0]}."


def draw(seed, length, nesting, size) -> list[Program]:
    random = Random(seed)
    return [draw_program(random, lambda: (length, nesting)) for _ in range(size)]


@pytest.mark.parametrize(("length", "nesting"), [(1, 1), (4, 2), (6, 3), (3, 10)])
def test_the_answer_is_what_python_prints(length, nesting):
    for program in draw(0, length, nesting, 300):
        assert run(program) == program.answer
        assert set(program.text + program.answer) <= set(ALPHABET)


def form_of(text: str) -> str:
    """A program of one operation, without its numbers, its variable and which sign it has."""
    return re.sub(r"\b[a-j]\b", "v", re.sub(r"\d+", "9", text).replace("-", "+").replace(">", "<"))


FORMS = {
    "print((9+9))",
    "print((9*9))",
    "print(9)",
    "v=9;#print((v+9))",
    "v=9#for x in range(9):v+=9#print(v)",
    "print((9 if 9<9 else 9))",
}


def test_each_of_six_operations_is_drawn_as_often():
    forms = Counter(form_of(program.text) for program in draw(1, 3, 1, 6000))
    assert set(forms) == FORMS and len(OPERATIONS) == 6
    assert all(abs(count - 1000) < 120 for count in forms.values())


def test_signs_comparisons_and_places_of_operands_vary():
    texts = [program.text for program in draw(1, 2, 2, 3000)]
    forms = (r":\w-=", r":\w\+=", r"\d<", r"\d>", r"\(\d+\*\(", r"\)\*\d", r"\d[+-]\(", r"\)[+-]\d")
    for form in forms:
        assert sum(re.search(form, text) is not None for text in texts) > 20, form


def test_numbers_go_up_to_the_power_of_ten_and_factors_to_four_times_the_length():
    texts = [program.text for program in draw(2, 1, 1, 4000)]
    literals = {
        int(n)
        for text in texts
        if re.fullmatch(r"print\(\d+\)", text)
        for n in re.findall(r"\d+", text)
    }
    assert literals == set(range(1, 11))
    loops = {int(n) for text in texts for n in re.findall(r"range\((\d+)\)", text)}
    assert loops == {1, 2, 3, 4}


def test_a_length_is_drawn_for_each_number(monkeypatch):
    hardness = iter([(9, 1), (1, 9), (4, 9), (2, 9)])
    random = Random(0)

    def choice(options):
        return small_loop if options is OPERATIONS else options[0]

    monkeypatch.setattr(random, "choice", choice)
    program = draw_program(random, hardness.__next__)
    start, times, step = map(int, re.findall(r"\d+", program.text))
    assert sorted(number > 10 for number in (start, step)) == [False, True]
    assert times <= 8


def test_programs_fall_to_three_shares_and_no_program_to_two():
    random, hardness = Random(3), lambda: (2, 1)
    shares = Counter(share_of(draw_program(random, hardness)) for _ in range(3000))
    assert all(abs(count - 1000) < 120 for count in shares.values()) and len(shares) == 3
    drawn = {
        share: {draw_of_share(random, hardness, share).text for _ in range(300)} for share in shares
    }
    assert not drawn["train"] & drawn["test"] and not drawn["train"] & drawn["validation"]
    assert not drawn["test"] & drawn["validation"]
