"""From columns of characters back to text."""

from memory.supervised.tasks.learning_to_execute.written import (
    ALPHABET,
    DUE,
    NOTHING,
    Program,
    Written,
)


def read_column(column) -> str:
    """Its characters, without gaps and what is no character."""
    return "".join(ALPHABET[c] for c in column.tolist() if c not in (NOTHING, DUE))


def read_columns(written: Written) -> list[Program]:
    """Programs and their answers."""
    pairs = zip(written.programs.T, written.answers.T, strict=True)
    return [Program(read_column(text), read_column(answer)) for text, answer in pairs]


def read_back(batch, b: int) -> Program:
    """One program of a batch, and its answer."""
    due = int((batch.inputs[:, b] == DUE).int().argmax())
    answer = batch.targets[:, b][batch.loss_mask[:, b]]
    return Program(read_column(batch.inputs[:due, b]), read_column(answer))
