"""Language modelling: at every step, which word comes next?

Source: Santoro et al., "Relational recurrent neural networks" (2018), section 4.3 and appendix A.4.
Training cuts the text into as many lanes as a batch has sequences; each update continues where the
previous one ended, and gradient flows back `unroll` steps. Where the lanes begin is drawn afresh in
every epoch; the text is read as a ring, so that every word is a target.

Held-out text is read in a few lanes, with the state carried through each, and every word but the
first of all is predicted exactly once. `test_100`, where asked for, cuts the test into windows of
100 words that know nothing of what came before (figure 12 of the paper).

Differs from the paper: the softmax has a bias; an adaptive softmax, with weights of its own, can
take its place (`cutoffs`).
"""

# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import pairwise
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
from memory.supervised.data.digest import digest_of
from memory.supervised.head import Head
from memory.supervised.measure import Measure
from memory.supervised.task import Encoder, Task, TaskConfig, random_source
from memory.supervised.tasks.language_model.adaptive_head import AdaptiveHead
from memory.supervised.tasks.language_model.corpus import UNKNOWN, Corpus, read_corpus
from memory.supervised.tasks.language_model.corpus_files import Level, layout_of
from memory.supervised.tasks.language_model.perplexity import Perplexity
from memory.supervised.tasks.language_model.tied_head import TiedHead

WORDS_AT_ONCE = 16_384
"""Held-out words of a batch, about."""


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig(TaskConfig):
    """Predict the next word of a text."""

    corpus: str = "wikitext-2"
    """Name of the corpus, and of its folder: wikitext-2, wikitext-103, gutenberg, ..."""
    data: Path | None = None
    """Folder of the corpus, or one that holds it; ENGRAM_DATA or the cache if not given."""
    books: tuple[str, ...] = ()
    """Names or patterns of the texts that are the corpus, "nltk/*.txt", if it is books; by default
    those of a data set that can be downloaded, or the only *.txt."""
    encodings: tuple[str, ...] = ()
    """Encodings of books, tried in this order; by default those of the data set, or UTF-8."""
    level: Level = "word"
    """Predict words, or characters."""
    vocabulary: int = 250_000
    """Most words in the vocabulary; rarer ones are `<unk>`."""
    unroll: int = 100
    """Steps that gradient flows back, and words of a sequence per update."""
    embedding: int = 512
    """Width of the vector of a word."""
    dropout: float = 0.5
    """Share of features dropped, of embeddings and before the softmax."""
    cutoffs: tuple[int, ...] = ()
    """Ranks by frequency at which an adaptive softmax begins a cluster of words; none: the softmax
    is exact, its weights those of the embedding."""
    lanes: int = 20
    """Lanes in which held-out text is read side by side; 1 carries the state from end to end."""
    windows: tuple[int, ...] = ()
    """Besides, test in windows of so many words that begin with a fresh state."""

    @property
    def data_sets(self) -> tuple[str, ...]:
        """The corpus."""
        return (self.corpus,)

    @classmethod
    def small(cls) -> Mapping[str, "LanguageModelConfig"]:
        """Short unrolls, with an exact and an adaptive softmax."""
        return {
            "": cls(unroll=9, embedding=8, lanes=60),
            "adaptive": cls(unroll=9, embedding=8, lanes=60, cutoffs=(9,)),
        }

    def build(self, seed: int) -> "LanguageModel":
        """Read the corpus and make the task.

        Raises:
            ValueError: an option, or the corpus, is not what it should be, or is not there.
        """
        one_of("level", self.level, get_args(Level))
        positive(unroll=self.unroll, embedding=self.embedding, lanes=self.lanes)
        positive(**{f"windows[{i}]": words for i, words in enumerate(self.windows)})
        if self.vocabulary < 2:
            raise ValueError(f"vocabulary={self.vocabulary}: must be at least 2")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout}: must be from 0 to below 1")
        for name in self.encodings:
            _check_encoding(name)
        layout = layout_of(self._folder(), self.books, self.encodings, self.corpus)
        corpus = read_corpus(Path(self.corpus).name, layout, self.level, self.vocabulary)
        ranks = (0, *self.cutoffs, len(corpus.words))
        if any(later <= earlier for earlier, later in pairwise(ranks)):
            raise ValueError(
                f"cutoffs={' '.join(map(str, self.cutoffs))}: must rise, from above 0 to below "
                f"the {len(corpus.words)} words of the vocabulary"
            )
        return LanguageModel(self, corpus, seed)

    def _folder(self) -> Path:
        # A folder of several data sets is not the corpus, even if there are texts deeper in it.
        if self.data is not None and not (self.data / self.corpus).is_dir() and _is_text(self.data):
            return self.data
        return find_data(self.corpus, self.data, self.corpus) / self.corpus


def _check_encoding(name: str) -> None:
    try:
        TextIOWrapper(BytesIO(), encoding=name)
    except (LookupError, ValueError):
        raise ValueError(
            f"encodings={name}: no encoding that Python knows; utf-8, latin-1 and cp1252 are some"
        ) from None


def _is_text(folder: Path) -> bool:
    """Whether a folder directly holds texts or the folder of a split."""
    texts = (*folder.glob("*.txt"), *folder.glob("*.tokens"))
    return bool(texts) or any((folder / "train").rglob("*.*"))


class Embedding(Encoder):
    """Vectors of words, with dropout."""

    def __init__(self, words: int, width: int, dropout: float) -> None:
        super().__init__()
        self.output_shape = (width,)
        self.embed = nn.Embedding(words, width)
        nn.init.uniform_(self.embed.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Int[Tensor, "T B"]) -> Float[Tensor, "T B D"]:
        """Vectors."""
        return self.dropout(self.embed(inputs))


class LanguageModel(Task):
    """Inputs are numbers of words, `[T, B]`; every step is scored."""

    measure = "perplexity"
    lower_is_better = True
    carries_state = True

    def __init__(self, config: LanguageModelConfig, corpus: Corpus, seed: int) -> None:
        self.config, self.corpus, self.seed = config, corpus, seed
        self.num_classes = len(corpus.words)
        self._digest = digest_of(corpus.tokens.values())
        self.tests = ("test", *(f"test_{words}" for words in config.windows))

    def encoder(self) -> Encoder:
        """Vectors of words."""
        return Embedding(self.num_classes, self.config.embedding, self.config.dropout)

    def head(self, width: int, readout: Sequence[int], encoder: Encoder) -> Head:
        """An exact softmax tied to the embedding, or an adaptive one."""
        assert isinstance(encoder, Embedding)
        config = self.config
        if not config.cutoffs:
            return TiedHead(width, readout, encoder.embed, config.dropout)
        sizes = (config.embedding, self.num_classes, config.cutoffs)
        return AdaptiveHead(width, readout, *sizes, config.dropout)

    def measures(self) -> list[Measure]:
        """Perplexity."""
        return [Perplexity(self.corpus.counts)]

    def baselines(self) -> dict[str, float]:
        """Perplexity of the test by the frequency of each word in training, plus one."""
        counts = self.corpus.counts + 1.0
        shares = np.log(counts / counts.sum())
        return {"unigram": float(np.exp(-shares[self.corpus.tokens["test"][1:]].mean()))}

    def remarks(self) -> list[str]:
        """The words that have no number, and a split that is our own."""
        remarks = [self.corpus.remark] if self.corpus.remark else []
        unknown = self.corpus.words.index(UNKNOWN)
        share = float((self.corpus.tokens["test"] == unknown).mean())
        if share:
            remarks.append(f"{share:.2%} of the words of the test are {UNKNOWN}.")
        return remarks

    def identity(self) -> str:
        """The vocabulary, and the text."""
        return f"vocabulary {self.corpus.fingerprint}, text {self._digest}"

    def batch(self, number: int, size: int) -> Batch:
        """What follows in every lane."""
        tokens, unroll = self.corpus.tokens["train"], self.config.unroll
        lane = len(tokens) // size
        if not lane:
            raise ValueError(f"training.batch={size}: the training text has {len(tokens)} words")
        epoch, window = divmod(number, -(-lane // unroll))
        first = default_rng(random_source(self.seed, "train", epoch)).integers(len(tokens))
        steps = min(unroll, lane - window * unroll)
        at = first + window * unroll + np.arange(size) * lane + np.arange(steps + 1)[:, None]
        taken = torch.from_numpy(tokens[at % len(tokens)].astype(np.int64))
        loss_mask = torch.ones(steps, size, dtype=torch.bool)
        return Batch(taken[:-1], taken[1:], loss_mask, _reset(loss_mask, window == 0))

    def held_out(self, split: str) -> Iterator[Batch]:
        """The text in a few lanes, or in windows."""
        name, _, words = split.partition("_")
        tokens = self.corpus.tokens[name]
        predicted = len(tokens) - 1
        if words:
            length, steps = int(words), int(words)
            lanes = max(1, WORDS_AT_ONCE // length)
        else:
            lanes = min(self.config.lanes, predicted)
            length, steps = -(-predicted // lanes), max(1, WORDS_AT_ONCE // lanes)
        for first in range(0, predicted, lanes * length):
            starts = first + length * np.arange(lanes)
            ends = np.minimum(starts + length, predicted)
            for begin in range(0, length, steps):
                yield _read(tokens, starts + begin, ends, min(steps, length - begin), begin == 0)


def _read(
    tokens: np.ndarray, starts: np.ndarray, ends: np.ndarray, steps: int, is_first: bool
) -> Batch:
    """Steps of every lane from `starts`; those from `ends` on do not count."""
    at = starts + np.arange(steps)[:, None]
    loss_mask = torch.from_numpy(at < ends)
    at = np.minimum(at, len(tokens) - 2)
    inputs, targets = (torch.from_numpy(tokens[i].astype(np.int64)) for i in (at, at + 1))
    return Batch(inputs, targets, loss_mask, _reset(loss_mask, is_first))


def _reset(loss_mask: Tensor, is_first: bool) -> Tensor | None:
    """Resets at the first step, or none."""
    if not is_first:
        return None
    reset = torch.zeros_like(loss_mask)
    reset[0] = True
    return reset
