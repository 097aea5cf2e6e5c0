"""Sentences and their vectors, by hand and by a loop over every sentence."""

import pytest
import torch
from torch import nn

from memory.supervised.tasks.babi.sentence_encoder import SentenceEncoder
from tests.present import present

TABLE = torch.tensor([[0, 0, 0], [4, 0, 0], [1, 2, 0], [2, 5, 0], [3, 3, 1]])
STORIES = torch.tensor([[0, 2, 4], [2, 2, 1], [4, 3, 3]])
"""Three stories, the first with a single fact; the last row are the questions."""


def encoder_of(reading, **options):
    torch.manual_seed(1)
    encoder = SentenceEncoder(TABLE, 5, reading, 4, **options).double()
    with torch.no_grad():  # not all ones, or all zeros
        for weights in encoder.parameters():
            weights.copy_(torch.randn_like(weights))
        for table in (encoder.embed, encoder.embed_question, encoder.ages):
            if table is not None:
                table.weight[0] = 0
    return encoder


def one_by_one(encoder, sentence, is_question):
    """The vector of a single sentence, from the words that it has."""
    embed = encoder.embed_question if is_question else encoder.embed
    read = encoder.read_question if is_question else encoder.read
    words = TABLE[sentence][TABLE[sentence] > 0]
    if not len(words):
        return torch.zeros(4, dtype=torch.double)
    vectors = embed.weight[words]
    if hasattr(read, "masks"):
        return (vectors * read.masks[: len(words)]).sum(0)
    if hasattr(read, "network"):
        return read.network(vectors)[0][-1]
    return sum(
        vector
        * torch.tensor(
            [(1 - j / len(words)) - k / 4 * (1 - 2 * j / len(words)) for k in range(1, 5)]
        )
        for j, vector in enumerate(vectors, start=1)
    )


@pytest.mark.parametrize("own_words", [False, True])
@pytest.mark.parametrize("own_question", [False, True])
@pytest.mark.parametrize("reading", ["mask", "position", "gru", "lstm"])
def test_a_batch_of_sentences_is_each_of_them_alone(reading, own_question, own_words):
    encoder = encoder_of(reading, own_question=own_question, own_words=own_words)
    vectors = encoder(STORIES)
    assert vectors.shape == (3, 3, 4) and encoder.output_shape == (4,)
    for t in range(3):
        for b in range(3):
            expected = one_by_one(encoder, int(STORIES[t, b]), t == 2)
            torch.testing.assert_close(vectors[t, b], expected)
    assert (encoder.embed is encoder.embed_question) == (not own_words)
    if reading != "position":
        assert (encoder.read is encoder.read_question) == (not own_question)


@pytest.mark.parametrize("reading", ["mask", "position", "gru", "lstm"])
def test_gradients_are_those_of_each_sentence_alone(reading):
    encoder = encoder_of(reading)
    weights = torch.randn(3, 3, 4, dtype=torch.double)
    trained = [encoder.embed.weight, *encoder.read.parameters()]
    alone = [[one_by_one(encoder, int(STORIES[t, b]), t == 2) for b in range(3)] for t in range(3)]
    expected = torch.stack([torch.stack(row) for row in alone])
    one, other = (
        torch.autograd.grad((vectors * weights).sum(), trained)
        for vectors in (encoder(STORIES), expected)
    )
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b)


def test_the_last_fact_is_the_youngest_and_padding_has_no_age():
    plain, aged = (encoder_of("mask", ages=ages) for ages in (0, 3))
    aged.load_state_dict(plain.state_dict(), strict=False)
    difference = aged(STORIES) - plain(STORIES)
    youngest, second = present(aged.ages).weight[1:3]
    torch.testing.assert_close(difference[1], youngest.expand(3, 4))
    torch.testing.assert_close(difference[0, 1:], second.expand(2, 4))
    assert difference[0, 0].eq(0).all() and difference[2].eq(0).all()


def test_facts_and_questions_are_normalised_apart_and_padding_left_out():
    encoder = encoder_of("mask", normalise=True)
    plain = encoder_of("mask")
    plain.load_state_dict(encoder.state_dict(), strict=False)
    vectors, before = encoder(STORIES), plain(STORIES)
    told = STORIES[:2] > 0
    norm, norm_question = present(encoder.norm), present(encoder.norm_question)
    expected = [
        nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, True, eps=1e-3)
        for x, norm in ((before[:2][told], norm), (before[2], norm_question))
    ]
    torch.testing.assert_close(vectors[:2][told], expected[0])
    torch.testing.assert_close(vectors[2], expected[1])
    assert vectors[0, 0].eq(0).all()


def test_the_table_of_sentences_belongs_to_the_data_and_not_to_the_weights():
    assert not {"table", "lengths"} & set(encoder_of("gru").state_dict())
