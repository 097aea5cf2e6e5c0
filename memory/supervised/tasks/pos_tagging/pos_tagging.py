"""Part-of-speech tagging: the tag of every word, as soon as the word is read.

Source: Barrett, "Learning to remember" (MANN-RL); the data are UD English-EWT (Silveira et al., "A
gold standard dependency corpus for English", 2014). Sentences are padded on the left; each is an
episode. `baselines` gives each word the tag that it had most often in training.

A word is the sum of trained vectors of itself, of its last three letters and of its shape
(capitals, digits, signs). A word that does not occur in training is `unknown`; words that
occur once are so half of the time, to train `unknown`.

Differs from the paper:

* It reads vectors of GloVe (840B, 300 numbers), zeros for words without. They are not among the
  data sets here; `--task.glove` reads such a file, and its vectors take the place of trained ones.
* EWT is a later version, of 12,544 sentences and 49 tags. No full stop is appended to sentences.
* The memory is reset between sentences.
"""

# pyright: reportUnknownMemberType=false

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.random import default_rng
from torch import Tensor, nn

from memory.options import one_of, positive
from memory.supervised.batch import Batch
from memory.supervised.data.data_folder import find_data
from memory.supervised.data.text_file import MalformedData
from memory.supervised.measure import AccuracyMetric, Measure
from memory.supervised.task import CHUNK, Encoder, Task, TaskConfig, random_source
from memory.supervised.tasks.epochs import Epochs, FlushRight
from memory.supervised.tasks.pos_tagging.conllu import Sentence, Tags, Word, read_sentences
from memory.supervised.tasks.pos_tagging.word_vectors import read_vectors
from memory.supervised.tasks.weighted_f1 import WeightedF1

FILES = {
    split: f"en_ewt-ud-{part}.conllu"
    for split, part in (("train", "train"), ("validation", "dev"), ("test", "test"))
}
ENDING = 3
"""Letters."""
PADDING, UNKNOWN, FIRST = range(3)
"""Numbers of no word, of a word not seen in training, and of the first word."""
SHAPES = 16


@dataclass(frozen=True, kw_only=True)
class PosTaggingConfig(TaskConfig):
    """The part of speech of every word."""

    tags: Tags = "xpos"
    """xpos: the 49 of the Penn Treebank, as published; upos: 17 for all languages."""
    width: int = 128
    """Width of the vector of a word."""
    glove: Path | None = None
    """Text file of word vectors, which are read in place of trained ones."""
    data: Path | None = None
    """Folder with the files of EWT; ENGRAM_DATA or the cache if not given."""

    @property
    def data_sets(self) -> tuple[str, ...]:
        """The treebank."""
        return ("ud_english_ewt",)

    @classmethod
    def small(cls) -> Mapping[str, "PosTaggingConfig"]:
        """Short vectors."""
        return {"": cls(width=8)}

    def idle(self) -> dict[str, str]:
        """The options without effect in this combination, each with the reason."""
        return {"width": "--task.glove"} if self.glove is not None else {}

    def build(self, seed: int) -> "PosTagging":
        """Read the files and make the task.

        Raises:
            ValueError: an option, or a file, is not what it should be, or is not there.
        """
        one_of("tags", self.tags, get_args(Tags))
        positive(width=self.width)
        folder = find_data("ud_english_ewt", self.data, FILES["train"])
        sentences = {
            split: read_sentences(folder / name, self.tags) for split, name in FILES.items()
        }
        vectors = None
        if self.glove is not None:
            vectors = read_vectors(self.glove, words_of(*sentences.values()))
        return PosTagging(self, sentences, vectors, seed)


def words_of(*texts: list[Sentence]) -> set[str]:
    """All words as they are written."""
    return {word.form for text in texts for sentence in text for word in sentence}


class Examples:
    """The sentences of a split, one after the other.

    Args:
        inputs: of all words `[N, ...]`.
        tags: of all words `[N]`.
        lengths: of the sentences.
    """

    def __init__(self, inputs: np.ndarray, tags: np.ndarray, lengths: np.ndarray) -> None:
        self.inputs, self.tags, self.lengths = inputs, tags, lengths
        self.starts = np.cumsum(lengths) - lengths

    def lay_out(self, chosen: np.ndarray) -> Batch:
        """A batch of some sentences."""
        lengths = self.lengths[chosen]
        flush = FlushRight(lengths)
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        words = np.repeat(self.starts[chosen], lengths) + within
        inputs, targets = flush.place(self.inputs[words]), flush.place(self.tags[words])
        return Batch(inputs, targets, flush.is_inside, flush.resets)


class PosTagging(Task):
    """Inputs are numbers of the word, its ending and its shape, `[T, B, 3]`; 0 is padding."""

    floor = "most frequent tag, test"

    def __init__(
        self,
        config: PosTaggingConfig,
        sentences: Mapping[str, list[Sentence]],
        vectors: Mapping[str, np.ndarray] | None,
        seed: int,
    ) -> None:
        self.config, self.sentences, self.seed = config, sentences, seed
        words = [word for sentence in sentences["train"] for word in sentence]
        self.counts = Counter(word.form for word in words)
        self.tags = _numbered((word.tag for word in words), first=0)
        self.num_classes = len(self.tags)
        self.words = _numbered(vectors or self.counts)
        self.endings = _numbered(_ending(word.form) for word in words)
        self.vectors = None if vectors is None else np.stack([vectors[w] for w in self.words])
        self.examples = {split: self._examples(split) for split in FILES}
        train = self.examples["train"]
        self.epochs = Epochs(train.lengths, seed)
        seen = [self.counts[word] for word in self.words]
        self._is_rare = torch.tensor([0] * FIRST + seen) == 1

    def encoder(self) -> Encoder:
        """Sums of vectors, or those given."""
        if self.vectors is not None:
            return GivenVectors(self.vectors)
        return WordEncoder(len(self.words), len(self.endings), self.config.width)

    def measures(self) -> list[Measure]:
        """`accuracy`, and what the paper reports."""
        return [AccuracyMetric(), WeightedF1(self.num_classes)]

    def baselines(self) -> dict[str, float]:
        """Each word's most frequent tag of training, or the most frequent of all."""
        tags: dict[str, Counter[int]] = defaultdict(Counter)
        train = self.examples["train"].tags
        for word, tag in zip(self._forms("train"), train.tolist(), strict=True):
            tags[word][tag] += 1
        usual = {word: counts.most_common(1)[0][0] for word, counts in tags.items()}
        otherwise = np.bincount(train).argmax()
        found: dict[str, float] = {}
        for split in ("validation", "test"):
            guesses = np.array([usual.get(word, otherwise) for word in self._forms(split)])
            found[f"most frequent tag, {split}"] = float(
                (guesses == self.examples[split].tags).mean()
            )
        return found

    def remarks(self) -> list[str]:
        """Where word vectors come from."""
        if self.config.glove is None:
            return ["Word vectors are learnt; the paper read GloVe's."]
        known = np.mean([word in self.words for word in self._forms("train")])
        return [f"{known:.1%} of the words of training have a vector in {self.config.glove.name}."]

    def identity(self) -> str:
        """Hash of words, endings and tags, in their order."""
        lists = (list(self.words), list(self.endings), list(self.tags))
        return f"vocabulary {sha256(repr(lists).encode()).hexdigest()[:16]}"

    def batch(self, number: int, size: int) -> Batch:
        """Sentences of similar length; each occurs once per epoch."""
        batch = self.examples["train"].lay_out(self.epochs.batch(number, size))
        if self.vectors is None:
            source = random_source(self.seed, "train", number).spawn(2)[1]
            words = batch.inputs[..., 0]
            shape: tuple[int, ...] = words.shape
            half = torch.from_numpy(default_rng(source).random(shape) < 0.5)
            words[self._is_rare[words] & half] = UNKNOWN
        return batch

    def held_out(self, split: str) -> Iterator[Batch]:
        """All sentences, by length."""
        examples = self.examples[split]
        order = np.argsort(examples.lengths, kind="stable")
        for first in range(0, len(order), CHUNK):
            yield examples.lay_out(order[first : first + CHUNK])

    def _forms(self, split: str) -> list[str]:
        return [word.form for sentence in self.sentences[split] for word in sentence]

    def _examples(self, split: str) -> Examples:
        sentences = self.sentences[split]
        words = [word for sentence in sentences for word in sentence]
        inputs = np.array([self._numbers(word) for word in words])
        tags = np.array([self._tag(word, split) for word in words])
        return Examples(inputs, tags, np.array([len(sentence) for sentence in sentences]))

    def _numbers(self, word: Word) -> tuple[int, int, int]:
        ending = self.endings.get(_ending(word.form), UNKNOWN)
        return self.words.get(word.form, UNKNOWN), ending, 1 + _shape(word.form)

    def _tag(self, word: Word, split: str) -> int:
        if word.tag not in self.tags:
            raise MalformedData(
                f"{FILES[split]}: {word.form!r} has the tag {word.tag!r}, which no word "
                f"of {FILES['train']} has"
            )
        return self.tags[word.tag]


def _numbered(names: Iterator[str] | Mapping[str, object], first: int = FIRST) -> dict[str, int]:
    """Numbers in alphabetical order."""
    return {name: number for number, name in enumerate(sorted(set(names)), start=first)}


def _ending(form: str) -> str:
    return form[-ENDING:].lower()


def _shape(form: str) -> int:
    """Whether it begins with a capital, has one later, has a digit, has a sign."""
    found = (
        form[0].isupper(),
        any(letter.isupper() for letter in form[1:]),
        any(letter.isdigit() for letter in form),
        not form.isalnum(),
    )
    return sum(yes << bit for bit, yes in enumerate(found))


class WordEncoder(Encoder):
    """Sums of trained vectors of words, endings and shapes."""

    def __init__(self, words: int, endings: int, width: int) -> None:
        super().__init__()
        self.output_shape = (width,)
        sizes = (FIRST + words, FIRST + endings, 1 + SHAPES)
        self.embed = nn.ModuleList(nn.Embedding(n, width, padding_idx=PADDING) for n in sizes)

    def forward(self, inputs: Int[Tensor, "T B 3"]) -> Float[Tensor, "T B D"]:
        """Vectors of words; of padding, zeros."""
        parts = zip(self.embed, inputs.unbind(-1), strict=True)
        return torch.stack([embed(numbers) for embed, numbers in parts]).sum(dim=0)


class GivenVectors(Encoder):
    """Vectors of words that stay as they are; zeros for words without."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.output_shape = vectors.shape[1:]
        table = np.concatenate([np.zeros((FIRST, vectors.shape[1])), vectors])
        self.table = nn.Buffer(torch.from_numpy(table).float(), persistent=False)

    def forward(self, inputs: Int[Tensor, "T B 3"]) -> Float[Tensor, "T B D"]:
        """Vectors of words."""
        return self.table[inputs[..., 0]]
