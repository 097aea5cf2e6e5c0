"""Language modelling: which words are read and predicted, and exact perplexity."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from memory import GRUConfig
from memory.supervised import LanguageModelConfig, ReaderConfig, Trainer, TrainingConfig
from memory.supervised.batch import Batch
from memory.supervised.head import Answered
from memory.supervised.reader import Reader, build_reader
from memory.supervised.tasks.language_model import language_model as module
from memory.supervised.tasks.language_model.adaptive_head import AdaptiveHead
from memory.supervised.tasks.language_model.perplexity import Perplexity
from memory.supervised.tasks.language_model.tied_head import TiedHead
from tests.memory.supervised.tasks.language_model.corpus_texts import write_wikitext

SMALL = {"unroll": 7, "embedding": 5, "dropout": 0.0, "lanes": 3, "windows": (4,)}


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    folder = write_wikitext(tmp_path / "corpus")
    return lambda **options: LanguageModelConfig(data=folder, **(SMALL | options)).build(3)


def trainer_of(task, **options):
    torch.manual_seed(1)
    reader = build_reader(task, GRUConfig(hidden=6), ReaderConfig())
    torch.nn.init.normal_(tied(reader).weight)
    given: dict[str, Any] = {"batch": 4} | options
    return Trainer(reader, task, TrainingConfig(**given))


def tied(reader: Reader) -> TiedHead:
    assert isinstance(reader.head, TiedHead)
    return reader.head


def test_training_goes_on_in_every_lane_where_the_batch_before_ended(make):
    task = make()
    tokens = task.corpus.tokens["train"]
    lane = len(tokens) // 4
    batches = [task.batch(number, 4) for number in range(-(-lane // 7) + 1)]
    has_reset = [batch.reset is not None for batch in batches]
    assert has_reset == [True, *[False] * (len(batches) - 2), True]
    assert batches[0].reset[0].all() and not batches[0].reset[1:].any()
    epoch = batches[:-1]
    inputs, targets = (torch.cat([getattr(b, name) for b in epoch]) for name in Batch._fields[:2])
    assert inputs.shape == (lane, 4) and inputs[1:].equal(targets[:-1])
    read = inputs.t().flatten().tolist()
    ring = [*tokens.tolist()] * 2
    assert any(ring[first : first + len(read)] == read for first in range(len(tokens)))
    assert targets[-1, :-1].equal(inputs[0, 1:])  # a lane ends where the next one began
    assert not batches[-1].inputs.equal(batches[0].inputs)  # another epoch, other lanes


@pytest.mark.parametrize("lanes", [1, 3, 7, 1000])
@pytest.mark.parametrize("at_once", [1, 20, 16_384])
def test_every_word_but_the_first_is_predicted_exactly_once(make, lanes, at_once, monkeypatch):
    monkeypatch.setattr(module, "WORDS_AT_ONCE", at_once)
    task = make(lanes=lanes, windows=(1, 4, 999))
    for split in ("validation", "test", "test_1", "test_4", "test_999"):
        tokens = torch.from_numpy(task.corpus.tokens[split.partition("_")[0]]).long()
        pairs = [
            pair
            for batch in task.held_out(split)
            for pair in zip(
                batch.inputs[batch.loss_mask], batch.targets[batch.loss_mask], strict=True
            )
        ]
        expected = sorted(zip(tokens[:-1].tolist(), tokens[1:].tolist(), strict=True))
        assert sorted((int(a), int(b)) for a, b in pairs) == expected
        assert len({batch.inputs.shape[1] for batch in task.held_out(split)}) == 1


def single_pass(trainer, tokens, begins=(0,)):
    """Losses of all words but the first, with a fresh state at `begins`."""
    numbers = torch.from_numpy(tokens.astype(np.int64))
    reader, losses = trainer.reader.eval(), []
    for first, end in zip(begins, [*begins[1:], len(numbers) - 1], strict=True):
        inputs, targets = numbers[first:end, None], numbers[first + 1 : end + 1, None]
        with torch.no_grad():
            logits, _ = reader(inputs, torch.ones_like(inputs, dtype=torch.bool))
        losses.append(functional.cross_entropy(logits, targets[:, 0], reduction="none"))
    return torch.cat(losses).double()


@pytest.mark.parametrize("at_once", [1, 20, 16_384])
def test_perplexity_is_that_of_a_single_pass(make, at_once, monkeypatch):
    monkeypatch.setattr(module, "WORDS_AT_ONCE", at_once)
    for lanes in (1, 3):
        task = make(lanes=lanes)
        trainer, tokens = trainer_of(task), task.corpus.tokens["test"]
        length = -(-(len(tokens) - 1) // lanes)
        losses = single_pass(trainer, tokens, range(0, len(tokens) - 1, length))
        results = trainer.evaluate("test")
        assert results["perplexity"] == pytest.approx(losses.mean().exp().item(), rel=1e-5)
        assert results["words"] == len(tokens) - 1 == len(losses)
    windows = single_pass(trainer, tokens, range(0, len(tokens) - 1, 4))
    found = trainer.evaluate("test_4")["perplexity"]
    assert found == pytest.approx(windows.mean().exp().item(), rel=1e-5)
    assert abs(found / results["perplexity"] - 1) > 1e-4


def test_a_model_of_frequencies_has_the_perplexity_of_the_plateau(make):
    task = make()
    trainer = trainer_of(task)
    head = tied(trainer.reader)
    torch.nn.init.zeros_(head.weight)
    head.bias.data = torch.from_numpy(task.corpus.counts + 1.0).log().float()
    expected = task.baselines()["unigram"]
    assert trainer.evaluate("test")["perplexity"] == pytest.approx(expected, rel=1e-6)
    head.bias.data.zero_()
    results = trainer.evaluate("validation")
    assert results["perplexity"] == pytest.approx(task.num_classes, rel=1e-6)
    assert results["loss"] == pytest.approx(math.log(task.num_classes), rel=1e-6)


def test_words_are_told_apart_by_how_often_training_had_them():
    counts = np.array([10_001, 10_000, 1000, 999, 0])
    measure = Perplexity(counts)
    targets = torch.tensor([[0, 1, 2, 3, 4, 4]])
    loss_mask = torch.tensor([[True] * 5 + [False]])
    losses = torch.tensor([2.0, 4.0, 8.0, 16.0, 32.0]).log()
    answered = Answered(losses, targets[loss_mask])
    measure.add(Batch(targets, targets, loss_mask), answered)
    measure.add(Batch(targets, targets, loss_mask), answered)
    results = measure.results()
    assert results["perplexity_above_10k"] == pytest.approx(2)
    assert results["perplexity_1k_to_10k"] == pytest.approx(32**0.5)
    assert results["perplexity_below_1k"] == pytest.approx(512**0.5)
    assert results["perplexity"] == pytest.approx(8) and results["words"] == 10
    only = Perplexity(counts)
    only.add(
        Batch(targets[:, :1], targets[:, :1], loss_mask[:, :1]), Answered(losses[:1], targets[0])
    )
    assert [name for name in only.results() if "_" in name] == ["perplexity_above_10k"]


def test_a_text_that_follows_a_rule_is_learnt(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    for split in ("train", "valid", "test"):  # the second b of each line follows an a long ago
        (tmp_path / f"{split}.txt").write_text("a b b c b b b d\n" * 60)
    config = LanguageModelConfig(data=tmp_path, unroll=9, embedding=8, dropout=0.0, lanes=1)
    task = config.build(1)
    trainer = trainer_of(task, learning_rate=0.02)
    assert task.baselines()["unigram"] > 3.5
    for _ in range(300):
        trainer.update()
    assert trainer.evaluate("test")["perplexity"] < 1.05


def test_an_adaptive_softmax_is_used_where_cutoffs_are_given(make):
    assert tied(trainer_of(make()).reader)
    task = make(cutoffs=(2, 6))
    reader = build_reader(task, GRUConfig(hidden=6), ReaderConfig(readout=(4,)))
    assert isinstance(reader.head, AdaptiveHead)
    assert reader.head.softmax.cutoffs == [2, 6, task.num_classes]
    trainer = Trainer(reader, task, TrainingConfig(batch=4))
    assert math.isfinite(trainer.update()["loss"])
    assert 1 < trainer.evaluate("test")["perplexity"] < 100


def test_what_has_to_be_said_is_said(make, tmp_path):
    assert make().remarks() == []
    rare = make(vocabulary=5)
    (remark,) = rare.remarks()
    unknown = (rare.corpus.tokens["test"] == rare.corpus.words.index("<unk>")).mean()
    assert remark == f"{unknown:.2%} of the words of the test are <unk>."
    assert rare.identity() != make().identity() == make().identity()
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "input.txt").write_text("one line\n\n" * 100)
    (remark,) = LanguageModelConfig(data=tmp_path / "alone").build(1).remarks()
    assert remark == (
        "The split of this corpus is not a published one: the last tenth of the lines of input.txt "
        "is held out."
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unroll": 0}, "unroll=0: must be at least 1"),
        ({"windows": (5, 0)}, r"windows\[1\]=0: must be at least 1"),
        ({"encodings": ("utf-8", "utf8x")}, "encodings=utf8x: no encoding that Python knows"),
        ({"books": ("a.txt",)}, "--task.books a.txt: .* has no such file"),
        ({"vocabulary": 1}, "vocabulary=1: must be at least 2"),
        ({"dropout": 1.0}, "dropout=1.0: must be from 0 to below 1"),
        ({"cutoffs": (3, 3)}, "cutoffs=3 3: must rise"),
        ({"cutoffs": (2, 14)}, "below the 14 words of the vocabulary"),
    ],
)
def test_bad_options_are_refused(make, options, words):
    with pytest.raises(ValueError, match=words):
        make(**options)


def test_more_lanes_than_words_are_refused(make):
    with pytest.raises(ValueError, match=r"training\.batch=9999: the training text has 452 words"):
        make().batch(0, 9999)


def test_the_corpus_is_found_by_name_or_by_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    write_wikitext(tmp_path / "data" / "mine")
    for data in (tmp_path / "data", tmp_path / "data" / "mine"):
        assert LanguageModelConfig(corpus="mine", data=data).build(1).num_classes == 14
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "data"))
    assert LanguageModelConfig(corpus="mine").build(1).num_classes == 14
    with pytest.raises(ValueError, match="other: no other in"):
        LanguageModelConfig(corpus="other").build(1)
