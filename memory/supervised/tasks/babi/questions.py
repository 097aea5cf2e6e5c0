"""The questions of the bAbI tasks as arrays of numbers, for making batches.

A story is a row of sentences. All twenty tasks have fewer than four thousand distinct sentences.
Each has a number, the shorter ones first; 0 is no sentence.
"""

# pyright: reportUnknownMemberType=false

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray
from torch import Tensor

from memory.supervised.batch import Batch
from memory.supervised.data.text_file import MalformedData
from memory.supervised.tasks.babi.stories import Question, Sentence

MOST_FACTS = 30_000_000
"""Facts of all questions, with repetitions: all of bAbI has fewer than three million."""
MOST_PLACES = 100_000_000
"""Numbers of the table of sentences."""


class Vocabulary(NamedTuple):
    """Numbers of words and sentences, from 1 on, and of answers, from 0 on."""

    words: dict[str, int]
    sentences: dict[Sentence, int]
    """The shorter ones first."""
    answers: dict[str, int]

    @property
    def longest(self) -> int:
        """Words of the longest sentence."""
        return max(map(len, self.sentences))

    def table(self) -> Int64[Tensor, "sentences words"]:
        """Words of each sentence; 0 is no word, and row 0 no sentence."""
        table = torch.zeros(len(self.sentences) + 1, self.longest, dtype=torch.long)
        for sentence, number in self.sentences.items():
            table[number, : len(sentence)] = torch.tensor([self.words[w] for w in sentence])
        return table

    def identity(self) -> str:
        """A short identity of these numbers."""
        named = "\n".join((*self.words, "", *self.answers))
        digest = hashlib.sha256(named.encode()).hexdigest()[:12]
        return (
            f"{len(self.words)} words, at most {self.longest} to a sentence, and "
            f"{len(self.answers)} answers (vocabulary {digest})"
        )


def vocabulary_of(questions: Sequence[Question]) -> Vocabulary:
    """All words, sentences and answers of some questions, independent of their order."""
    sentences: set[Sentence] = set()
    answers: set[str] = set()
    stories = {id(question.story): question for question in questions}  # the last one of each
    for question in stories.values():
        sentences.update(question.facts(question.asked_after))
    for question in questions:
        sentences.add(question.words)
        answers.add(question.answer)
    words = sorted({word for sentence in sentences for word in sentence})
    ordered = sorted(sentences, key=lambda sentence: (len(sentence), sentence))
    if len(ordered) * len(ordered[-1]) > MOST_PLACES:
        raise MalformedData(
            f"The stories have {len(ordered):,} different sentences, the longest of "
            f"{len(ordered[-1]):,} words: the table of their words is too large."
        )
    return Vocabulary(
        words={word: number for number, word in enumerate(words, start=1)},
        sentences={sentence: number for number, sentence in enumerate(ordered, start=1)},
        answers={answer: number for number, answer in enumerate(sorted(answers))},
    )


class Questions(NamedTuple):
    """Many questions. The facts of one are `facts[first:last]`."""

    facts: Int64[ndarray, " facts"]
    first: Int64[ndarray, " Q"]
    last: Int64[ndarray, " Q"]
    asked: Int64[ndarray, " Q"]
    answer: Int64[ndarray, " Q"]
    task: Int64[ndarray, " Q"]
    """The number of its task, 1 to 20."""

    def __len__(self) -> int:
        return len(self.asked)

    def lay_out(self, chosen: Int64[ndarray, " B"]) -> Batch:
        """A batch of questions: stories aligned right, each an episode; the question is last."""
        first, last = self.first[chosen], self.last[chosen]
        steps = 1 + int((last - first).max())
        at = last[:, None] + np.arange(1 - steps, 0)  # [B, T - 1]
        is_fact = at >= first[:, None]
        inputs = np.empty((steps, len(chosen)), np.int64)
        inputs[:-1] = np.where(is_fact, self.facts[np.maximum(at, 0)], 0).T if steps > 1 else 0
        inputs[-1] = self.asked[chosen]
        reset = np.arange(steps)[:, None] == steps - 1 - (last - first)
        targets = np.zeros_like(inputs)
        targets[-1] = self.answer[chosen]
        loss_mask = np.zeros(inputs.shape, bool)
        loss_mask[-1] = True
        parts = (torch.from_numpy(x) for x in (inputs, targets, loss_mask, reset))
        return Batch(*parts, groups=torch.from_numpy(self.task[chosen]))


def numbered(
    questions: Mapping[int, Sequence[Question]], vocabulary: Vocabulary, facts: int
) -> Questions:
    """The questions of each task as arrays, with the last `facts` facts of each.

    Raises:
        ValueError: the facts are more than `MOST_FACTS`.
    """
    sentences, answers = vocabulary.sentences, vocabulary.answers
    every = [(task, question) for task in questions for question in questions[task]]
    count = sum(min(question.asked_after, facts) for _, question in every)
    if count > MOST_FACTS:
        raise ValueError(
            f"facts={facts}: {count:,} sentences before {len(every):,} questions, expected at most "
            f"{MOST_FACTS:,}; read fewer sentences before each"
        )
    kept = [[sentences[fact] for fact in question.facts(facts)] for _, question in every]
    last = np.cumsum([len(numbers) for numbers in kept], dtype=np.int64)
    return Questions(
        facts=np.array([number for numbers in kept for number in numbers], np.int64),
        first=np.concatenate([np.zeros(1, np.int64), last[:-1]]),
        last=last,
        asked=np.array([sentences[question.words] for _, question in every], np.int64),
        answer=np.array([answers[question.answer] for _, question in every], np.int64),
        task=np.array([task for task, _ in every], np.int64),
    )


def most_frequent(questions: Questions) -> dict[int, float]:
    """Accuracy of the most frequent answer of each task."""
    shares: dict[int, float] = {}
    for task in cast(list[int], np.unique(questions.task).tolist()):
        answers = cast(list[int], questions.answer[questions.task == task].tolist())
        counts = Counter(answers)
        shares[task] = max(counts.values()) / counts.total()
    return shares
