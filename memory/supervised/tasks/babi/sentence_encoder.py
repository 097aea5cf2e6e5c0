"""Vectors of sentences: sums of their words, or a network that reads them word by word.

A batch repeats few distinct sentences many times, so each is encoded once and then looked up, with
the same results and gradients in less time.

`mask` is the sum of word vectors, each multiplied by a trained mask for its place, initially ones
(Henaff et al., "Tracking the world state with recurrent entity networks", 2017, section 2.1;
Limbacher and Legenstein, "H-Mem", 2020). `position` multiplies the k-th of d features of the j-th
of J words by (1 - j/J) - (k/d) (1 - 2j/J) instead (Sukhbaatar et al., "End-to-end memory networks",
2015, section 4.1). `gru` and `lstm` give the last state of a network that reads the words (Santoro
et al., "A simple neural network module for relational reasoning", 2017; Pavez et al., "Working
memory networks", 2018); it does not read the padding after them.

`ages` adds to each fact a trained vector for its age, which is 1 for the last fact of a story
(Sukhbaatar et al., section 4.1, temporal encoding). `normalise` then normalises facts and questions
separately over the batch, as in H-Mem; padding is excluded from the statistics and stays zero.
"""

# pyright: reportUnknownMemberType=false

from typing import Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from memory.supervised.task import Encoder

Reading = Literal["mask", "position", "gru", "lstm"]

DEVIATION = 0.1
"""Standard deviation of the initial vectors of words and ages (Henaff et al.)."""
MOMENTUM = 0.01
"""Weight of the newest batch in the running statistics, as in H-Mem's program."""
NORM_EPSILON = 1e-3


class SentenceEncoder(Encoder):
    """Stories as numbers of sentences, `[T, B]`, the question last; 0 is none, and gives zeros.

    Args:
        table: words of every sentence, by its number; shorter sentences first, 0 for no word.
        words: number of words.
        own_question: the question has masks, or a recurrent network, of its own.
        own_words: the question has vectors of words of its own.
        ages: number of ages; 0 leaves ages out.
    """

    table: Tensor
    lengths: Tensor
    branches_on_data = True

    def __init__(
        self,
        table: Int[Tensor, "sentences words"],
        words: int,
        reading: Reading,
        width: int,
        *,
        own_question: bool = True,
        own_words: bool = False,
        ages: int = 0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.output_shape = (width,)
        longest = table.shape[1]
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("lengths", table.ne(0).sum(1), persistent=False)
        self.embed = _vectors(words, width)
        self.embed_question = _vectors(words, width) if own_words else self.embed
        self.read = _reader(reading, longest, width)
        self.read_question = _reader(reading, longest, width) if own_question else self.read
        self.ages = _vectors(ages, width) if ages else None
        self.norm = self.norm_question = None
        if normalise:
            self.norm, self.norm_question = (
                nn.BatchNorm1d(width, NORM_EPSILON, MOMENTUM) for _ in range(2)
            )

    def forward(self, inputs: Int[Tensor, "T B"]) -> Float[Tensor, "T B D"]:
        """Vectors of sentences."""
        statements, question = inputs[:-1], inputs[-1:]
        facts = self._encode(statements, self.embed, self.read)
        questions = self._encode(question, self.embed_question, self.read_question)
        present = statements.ne(0)
        if self.ages is not None:
            age = torch.arange(len(statements), 0, -1, device=statements.device).unsqueeze(1)
            facts = facts + self.ages(age * present)
        if self.norm is not None and self.norm_question is not None:
            # Places without a fact are excluded from the statistics and are not normalised.
            facts = torch.zeros_like(facts).masked_scatter(
                present.unsqueeze(-1), self.norm(facts[present])
            )
            questions = self.norm_question(questions.flatten(0, 1)).view_as(questions)
        return torch.cat([facts, questions])

    def _encode(
        self, sentences: Int[Tensor, "T B"], embed: nn.Embedding, read: nn.Module
    ) -> Float[Tensor, "T B D"]:
        if not sentences.numel():
            return embed.weight.new_zeros(*sentences.shape, embed.embedding_dim)
        unique = cast(tuple[Tensor, Tensor], sentences.unique(return_inverse=True))
        distinct, places = unique
        lengths = self.lengths[distinct]
        longest = max(1, int(lengths[-1]))  # sentences are numbered by their length
        vectors = read(embed(self.table[distinct, :longest]), lengths)
        return nn.functional.embedding(places, vectors)


class MaskedSum(nn.Module):
    """A sum of words, each multiplied by a trained mask for its place."""

    def __init__(self, longest: int, width: int) -> None:
        super().__init__()
        self.masks = nn.Parameter(torch.ones(longest, width))

    def forward(
        self, words: Float[Tensor, "U W D"], lengths: Int[Tensor, " U"]
    ) -> Float[Tensor, "U D"]:
        """Vectors of sentences; those of no words are zeros."""
        return (words * self.masks[: words.shape[1]]).sum(1)


class PositionSum(nn.Module):
    """A sum of words, each weighted by its place in the sentence."""

    def forward(
        self, words: Float[Tensor, "U W D"], lengths: Int[Tensor, " U"]
    ) -> Float[Tensor, "U D"]:
        """Vectors of sentences; those of no words are zeros."""
        _, longest, width = words.shape
        place = torch.arange(1, longest + 1, device=words.device)
        feature = torch.arange(1, width + 1, device=words.device) / width
        share = (place / lengths.clamp(min=1).unsqueeze(1)).unsqueeze(-1)  # [U, W, 1]
        return (words * ((1 - share) - feature * (1 - 2 * share))).sum(1)


class Recurrence(nn.Module):
    """The last state of a recurrent network that reads the words."""

    def __init__(self, reading: Reading, width: int) -> None:
        super().__init__()
        self.network = (nn.GRU if reading == "gru" else nn.LSTM)(width, width)

    def forward(
        self, words: Float[Tensor, "U W D"], lengths: Int[Tensor, " U"]
    ) -> Float[Tensor, "U D"]:
        """Vectors of sentences, sorted by length; sentences without words are zeros."""
        counts = lengths.flip(0).clamp(min=1).cpu()
        packed = pack_padded_sequence(words.flip(0).transpose(0, 1), counts)
        _, state = self.network(packed)
        last = cast(Tensor, state[0] if isinstance(state, tuple) else state)
        return last.squeeze(0).flip(0) * lengths.ne(0).unsqueeze(1)


def _reader(reading: Reading, longest: int, width: int) -> nn.Module:
    if reading == "mask":
        return MaskedSum(longest, width)
    if reading == "position":
        return PositionSum()
    return Recurrence(reading, width)


def _vectors(count: int, width: int) -> nn.Embedding:
    """One vector for each number from 1 on; zeros, never trained, for 0."""
    vectors = nn.Embedding(count + 1, width, padding_idx=0)
    with torch.no_grad():
        nn.init.normal_(vectors.weight, std=DEVIATION)
        vectors.weight[0].zero_()
    return vectors
