"""bAbI: answer questions about short stories.

Source: Weston et al., "Towards AI-complete question answering" (2015); the published files. A story
is read one sentence per step, the question comes last, and the answer, one of all answers of the
files, is due there. Stories stand flush right and open an episode, so that no core reads padding.

A sentence is the sum of its words' vectors, each weighed by a trained mask for its place, one set
of masks for facts and one for questions, all ones to begin with (Henaff et al., "Tracking the world
state with recurrent entity networks", 2017, section 2.1).

A tenth of the training questions, drawn by the seed, is the validation.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from numpy.random import default_rng
from torch import Tensor, nn

from memory.options import one_of, positive
from memory.supervised.babi_stories import MalformedData, Question, Sentence, read_stories
from memory.supervised.batch import Batch
from memory.supervised.data_folder import find_data
from memory.supervised.task import CHUNK, Encoder, Task, random_source

Size = Literal["1k", "10k"]

FOLDERS: dict[str, str] = {"1k": "en", "10k": "en-10k"}
SOURCE = "https://research.facebook.com/downloads/babi (tasks_1-20_v1-2.tar.gz)"
ALL = tuple(range(1, 21))


@dataclass(frozen=True, kw_only=True)
class BabiConfig:
    """Questions about short stories."""

    tasks: tuple[int, ...] = (1,)
    """Numbers of the tasks, 1 to 20; several are learnt jointly."""
    size: Size = "10k"
    """Training questions of each task."""
    facts: int = 70
    """The last sentences of a story that are read, at most."""
    width: int = 64
    """Width of the vector of a word."""
    data: Path | None = None
    """Folder with `en` and `en-10k`; ENGRAM_DATA or the cache if not given."""

    def build(self, seed: int) -> "Babi":
        """Read the files and make the task.

        Raises:
            ValueError: an option, or a file, is not what it should be, or is not there.
        """
        positive(facts=self.facts, width=self.width)
        one_of("size", self.size, get_args(Size))
        wrong = [task for task in self.tasks if task not in ALL]
        if wrong or not self.tasks:
            raise ValueError(f"tasks={' '.join(map(str, wrong)) or 'none'}: must be from 1 to 20")
        folder = find_data("babi", self.data, FOLDERS[self.size], SOURCE) / FOLDERS[self.size]
        train = [q for task in self.tasks for q in read_stories(_file(folder, task, "train"))]
        test = [q for task in self.tasks for q in read_stories(_file(folder, task, "test"))]
        return Babi(self, train, test, seed)


def _file(folder: Path, task: int, part: str) -> Path:
    found = sorted(folder.glob(f"qa{task}_*_{part}.txt"))
    if len(found) != 1:
        raise MalformedData(
            f"{folder}: expected one file qa{task}_*_{part}.txt, found {len(found)}"
        )
    return found[0]


class Vocabulary(NamedTuple):
    """Numbers of words, from 1 on, and of answers, from 0 on."""

    words: dict[str, int]
    answers: dict[str, int]


def vocabulary_of(questions: Sequence[Question]) -> Vocabulary:
    """All words and answers of some questions, in alphabetical order."""
    sentences = {s for question in questions for s in (*question.facts, question.words)}
    words = sorted({word for sentence in sentences for word in sentence})
    answers = sorted({question.answer for question in questions})
    return Vocabulary(
        {word: number for number, word in enumerate(words, start=1)},
        {answer: number for number, answer in enumerate(answers)},
    )


class SentenceEncoder(Encoder):
    """Sums of masked word vectors; the last sentence is the question."""

    def __init__(self, words: int, longest: int, width: int) -> None:
        super().__init__()
        self.output_shape = (width,)
        self.embed = nn.Embedding(words + 1, width, padding_idx=0)
        self.masks = nn.Parameter(torch.ones(2, longest, width))
        """Of facts, and of questions."""

    def forward(self, inputs: Int[Tensor, "T B W"]) -> Float[Tensor, "T B D"]:
        """Vectors of sentences; of no words, zeros."""
        vectors = self.embed(inputs)
        facts = (vectors[:-1] * self.masks[0]).sum(dim=-2)
        return torch.cat([facts, (vectors[-1:] * self.masks[1]).sum(dim=-2)])


class Babi(Task):
    """Inputs are numbers of words, `[T, B, W]`; 0 is no word."""

    def __init__(
        self, config: BabiConfig, train: list[Question], test: list[Question], seed: int
    ) -> None:
        self.config, self.seed = config, seed
        self.vocabulary = vocabulary_of([*train, *test])
        self.num_classes = len(self.vocabulary.answers)
        self.longest = max(len(s) for q in (*train, *test) for s in (*q.facts, q.words))
        order = default_rng(random_source(seed, "validation", 0)).permutation(len(train))
        held = max(1, len(train) // 10)
        self.questions: dict[str, list[Question]] = {
            "train": [train[i] for i in order[held:]],
            "validation": [train[i] for i in order[:held]],
            "test": test,
        }
        self._epoch: tuple[int, Sequence[int]] = (-1, ())

    def encoder(self) -> Encoder:
        """Masked sums of words."""
        return SentenceEncoder(len(self.vocabulary.words), self.longest, self.config.width)

    def plateaus(self) -> dict[str, float]:
        """Always giving the most frequent answer of the test."""
        counts = Counter(question.answer for question in self.questions["test"])
        return {"most frequent": max(counts.values()) / counts.total()}

    def batch(self, number: int, size: int) -> Batch:
        """A training batch; every question comes once before one comes again."""
        questions = self.questions["train"]
        first = number * size
        chosen = [self._at(place, len(questions)) for place in range(first, first + size)]
        return self._lay_out([questions[i] for i in chosen])

    def held_out(self, split: str) -> Iterator[Batch]:
        """All questions, in order."""
        questions = self.questions[split]
        for first in range(0, len(questions), CHUNK):
            yield self._lay_out(questions[first : first + CHUNK])

    def _at(self, place: int, count: int) -> int:
        """The question at a place in the endless sequence of shuffled epochs."""
        epoch, within = divmod(place, count)
        if self._epoch[0] != epoch:
            order = default_rng(random_source(self.seed, "train", epoch)).permutation(count)
            self._epoch = (epoch, order.tolist())
        return self._epoch[1][within]

    def _lay_out(self, questions: list[Question]) -> Batch:
        facts = [question.facts[-self.config.facts :] for question in questions]
        steps = 1 + max(map(len, facts))
        inputs = torch.zeros(steps, len(questions), self.longest, dtype=torch.long)
        reset = torch.zeros(steps, len(questions), dtype=torch.bool)
        for b, (told, question) in enumerate(zip(facts, questions, strict=True)):
            start = steps - 1 - len(told)
            reset[start, b] = True
            for t, sentence in enumerate((*told, question.words), start=start):
                inputs[t, b, : len(sentence)] = self._numbers(sentence)
        targets = torch.zeros(steps, len(questions), dtype=torch.long)
        answers = self.vocabulary.answers
        targets[-1] = torch.tensor([answers[question.answer] for question in questions])
        scored = torch.zeros(steps, len(questions), dtype=torch.bool)
        scored[-1] = True
        return Batch(inputs, targets, scored, reset)

    def _numbers(self, sentence: Sentence) -> Tensor:
        return torch.tensor([self.vocabulary.words[word] for word in sentence])
