"""bAbI: answer questions about short stories.

Source: Weston et al., "Towards AI-complete question answering" (2015); the published files. A story
is read one sentence per step, and the question comes last. Its answer is one of all answers of the
files. Stories are padded on the left, and an episode starts at the first sentence.

One network learns all tasks in `tasks`. A tenth of the training questions of each task, drawn with
the seed, is used for validation. A task counts as failed if more than 5 % of its answers are wrong.
"""

# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np
import torch
from jaxtyping import Float
from numpy.random import default_rng
from torch import Tensor, nn

from memory.options import one_of, positive
from memory.supervised.batch import Batch
from memory.supervised.data.digest import digest_of
from memory.supervised.head import Answered, Head, rectified
from memory.supervised.measure import AccuracyMetric, Measure
from memory.supervised.task import CHUNK, Encoder, Task, TaskConfig, random_source
from memory.supervised.tasks.babi.questions import most_frequent, numbered, vocabulary_of
from memory.supervised.tasks.babi.sentence_encoder import Reading, SentenceEncoder
from memory.supervised.tasks.babi.source import Size, Source, Stories, find_stories

ALL = tuple(range(1, 21))
FAILED = 5.0
"""Largest share of wrong answers of a task that does not fail, percent."""


@dataclass(frozen=True, kw_only=True)
class BabiConfig(TaskConfig):
    """Questions about short stories."""

    tasks: tuple[int, ...] = (1,)
    """Numbers of the tasks, 1 to 20; several are learnt jointly."""
    size: Size = "10k"
    """Training questions of each task."""
    source: Source = "published"
    """The published files; or these, completed by stories of our own generator where a file of
    training stories is missing; or generated stories alone, which need no download."""
    facts: int = 70
    """The last sentences of a story that are read, at most."""
    sentence: Reading = "mask"
    """How a sentence becomes a vector: its words summed under trained masks (mask) or by fixed
    weights (position), or read one by one (gru, lstm)."""
    width: int = 64
    """Width of the vector of a word, and of a sentence."""
    own_question: bool = True
    """The question has masks, or a recurrent network, of its own."""
    own_words: bool = False
    """The question has vectors of words of its own."""
    ages: bool = False
    """Add to each fact a trained vector for its age."""
    normalise: bool = False
    """Normalise facts, and questions apart, over the batch."""
    data: Path | None = None
    """Folder with `en` and `en-10k`; ENGRAM_DATA or the cache if not given."""

    @property
    def data_sets(self) -> tuple[str, ...]:
        """bAbI, unless all stories are generated."""
        return () if self.source == "generated" else ("babi",)

    @classmethod
    def small(cls) -> Mapping[str, "BabiConfig"]:
        """One task, and two tasks with all options of the encoder."""
        return {
            "": cls(tasks=(2,), width=8),  # presets of cores would learn all tasks
            "two tasks": cls(
                tasks=(1, 2), width=8, sentence="gru", own_words=True, ages=True, normalise=True
            ),
        }

    def build(self, seed: int) -> "Babi":
        """Read the files and make the task.

        Raises:
            ValueError: an option or a file is invalid, or a file is missing.
        """
        positive(facts=self.facts, width=self.width)
        one_of("source", self.source, get_args(Source))
        if self.source == "generated" and self.data is not None:
            raise ValueError(f"--task.data {self.data}: has no effect with generated stories")
        one_of("sentence", self.sentence, get_args(Reading))
        one_of("size", self.size, get_args(Size))
        wrong = [task for task in self.tasks if task not in ALL]
        if wrong or not self.tasks:
            raise ValueError(f"tasks={' '.join(map(str, wrong)) or 'none'}: must be from 1 to 20")
        return Babi(self, find_stories(self.tasks, self.size, self.source, self.data), seed)


class Babi(Task):
    """Inputs are numbers of sentences, `[T, B]`; 0 is no sentence."""

    floor = "most frequent"

    def __init__(self, config: BabiConfig, stories: Stories, seed: int) -> None:
        self.config, self.seed, self.stories_of = config, seed, stories.remarks
        every = [q for part in (stories.train, stories.test) for qs in part.values() for q in qs]
        self.vocabulary = vocabulary_of(every)
        self.num_classes = len(self.vocabulary.answers)
        train = numbered(stories.train, self.vocabulary, config.facts)
        test = numbered(stories.test, self.vocabulary, config.facts)
        self.longest_episode = 1 + max(int((q.last - q.first).max()) for q in (train, test))
        learnt, held = _divided(train.task, seed)
        self.questions = {"train": train, "validation": train, "test": test}
        self.places = {"train": learnt, "validation": held, "test": np.arange(len(test))}
        """Which of the questions belong to each split."""
        self._epoch = (-1, learnt)
        self._digest = digest_of([*train, *test])

    def encoder(self) -> Encoder:
        """Vectors of sentences."""
        config = self.config
        return SentenceEncoder(
            self.vocabulary.table(),
            len(self.vocabulary.words),
            config.sentence,
            config.width,
            own_question=config.own_question,
            own_words=config.own_words,
            ages=config.facts if config.ages else 0,
            normalise=config.normalise,
        )

    def head(self, width: int, readout: Sequence[int], encoder: Encoder) -> Head:
        """Rectified layers, then one logit per answer, without a bias."""
        return Answers(width, readout, self.num_classes)

    def measures(self) -> list[Measure]:
        """The usual, and errors by task."""
        return [AccuracyMetric(), Errors()]

    def baselines(self) -> dict[str, float]:
        """Always giving the answer that is the most frequent in the test of its task."""
        shares = most_frequent(self.questions["test"])
        mean = sum(shares.values()) / len(shares)
        each = {f"most frequent qa{task}": share for task, share in shares.items()}
        return {"most frequent": mean, **(each if len(each) > 1 else {})}

    def remarks(self) -> list[str]:
        """The source of the stories, if they are not the published ones."""
        return self.stories_of

    def identity(self) -> str:
        """Identity of the vocabulary and of all questions and answers."""
        return f"{self.vocabulary.identity()}, questions {self._digest}"

    def batch(self, number: int, size: int) -> Batch:
        """A training batch; each question occurs once per epoch."""
        places = np.arange(number * size, (number + 1) * size)
        epochs, within = np.divmod(places, len(self.places["train"]))
        chosen = [self._order(e)[within[epochs == e]] for e in np.unique(epochs).tolist()]
        return self.questions["train"].lay_out(np.concatenate(chosen))

    def held_out(self, split: str) -> Iterator[Batch]:
        """All questions, in order."""
        places = self.places[split]
        for first in range(0, len(places), CHUNK):
            yield self.questions[split].lay_out(places[first : first + CHUNK])

    def _order(self, epoch: int) -> np.ndarray:
        """The training questions in the order of one epoch."""
        if self._epoch[0] != epoch:
            random = default_rng(random_source(self.seed, "train", epoch))
            self._epoch = (epoch, random.permutation(self.places["train"]))
        return self._epoch[1]


def _divided(tasks: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training questions, and of a tenth of each task for validation."""
    random = default_rng(random_source(seed, "validation", 0))
    learnt, held = list[np.ndarray](), list[np.ndarray]()
    for task in np.unique(tasks):
        order = random.permutation(np.flatnonzero(tasks == task))
        count = max(1, len(order) // 10)
        held.append(np.sort(order[:count]))
        learnt.append(order[count:])
    return np.concatenate(learnt), np.concatenate(held)


class Answers(Head):
    """Rectified layers, then one logit per answer, without a bias."""

    def __init__(self, width: int, readout: Sequence[int], num_classes: int) -> None:
        super().__init__()
        between = (width, *readout)
        hidden = [rectified(between), nn.ReLU()] if readout else []
        self.layers = nn.Sequential(*hidden, nn.Linear(between[-1], num_classes, bias=False))

    def forward(self, hidden: Float[Tensor, "S D"]) -> Float[Tensor, "S C"]:
        """Logits of every answer."""
        return self.layers(hidden)


class Errors(Measure):
    """Wrong answers in percent, by task and in the mean over tasks, and the tasks failed."""

    def __init__(self) -> None:
        self.asked = torch.zeros(len(ALL) + 1, dtype=torch.long)
        self.wrong = self.asked.clone()

    def add(self, batch: Batch, answered: Answered) -> None:
        """Add the answers to a batch."""
        assert batch.groups is not None
        tasks = batch.groups.expand_as(batch.loss_mask)[batch.loss_mask].cpu()
        wrong = answered.guesses.ne(batch.targets[batch.loss_mask]).cpu()
        self.asked += tasks.bincount(minlength=len(ALL) + 1)
        self.wrong += tasks[wrong].bincount(minlength=len(ALL) + 1)

    def results(self) -> dict[str, float]:
        """`error` is the mean over tasks, `failed` a count, `error_qa1` that of task 1."""
        counts = cast(list[list[int]], torch.stack([self.wrong, self.asked], dim=1).tolist())
        errors = {task: 100 * wrong / asked for task, (wrong, asked) in enumerate(counts) if asked}
        return {
            "error": sum(errors.values()) / len(errors),
            "failed": float(sum(error > FAILED for error in errors.values())),
            **{f"error_qa{task}": error for task, error in errors.items()},
        }
