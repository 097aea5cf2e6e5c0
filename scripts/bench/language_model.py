"""Speed and memory of language models: `python scripts/bench/language_model.py --out FILE.json`.

Speed: whole updates of the preset language_model-wikitext2, on random words, of `rmc`, `lstm`, and
torch.nn.LSTM as a core. Each round measures all in turn, in alternating order, so that other load
on the machine affects all equally; ratios are computed within a round.

Memory: the largest resident set of a process that makes two updates with a vocabulary of 250,000
words, embeddings of 512 and an LSTM of 1024, by kind of softmax; `whole` holds all logits at once.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import MethodType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import numpy as np
import torch
from torch import Tensor, nn

from agents.cli.command_line import parse
from agents.supervised.program import SUPERVISED
from memory import Core
from memory.cores.lstm import LSTMConfig, LSTMState
from memory.supervised import LanguageModelConfig, ReaderConfig, Trainer, TrainingConfig
from memory.supervised.head import Head
from memory.supervised.reader import build_reader, num_parameters
from memory.supervised.tasks.language_model.corpus import Corpus
from memory.supervised.tasks.language_model.language_model import LanguageModel

PRESET, WORDS = "language_model-wikitext2", 33_278
VOCABULARY, LANES = 250_000, 16
KINDS = {"tied": (), "adaptive": (20_000, 60_000), "whole": ()}
UPDATES = 3
"""Updates of each in a round."""


class TorchLSTM(Core[LSTMState]):
    """torch.nn.LSTM as a core, for texts without resets."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.output_size = hidden
        self.lstm = nn.LSTM(features, hidden)

    def initial_state(self, batch: int) -> LSTMState:
        """Zeros."""
        zeros = torch.zeros(batch, self.output_size)
        return LSTMState(zeros, zeros)

    def step(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """Consume one time step."""
        outputs, state = self(x[None], state)
        return outputs[0], state

    def forward(
        self, inputs: Tensor, state: LSTMState, reset: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """Unroll over time."""
        outputs, after = self.lstm(inputs, tuple(leaf[None] for leaf in state))
        return outputs, LSTMState(*(leaf[0] for leaf in after))


def random_text(words: int, config: LanguageModelConfig) -> LanguageModel:
    """A task of random words, frequent ones first."""
    random = np.random.default_rng(1)
    drawn = np.minimum(words ** random.random(400_000), words - 1).astype(np.int32)
    counts = np.bincount(drawn, minlength=words)
    names = ["<unk>", *(str(number) for number in range(1, words))]
    tokens: dict[str, np.ndarray] = dict.fromkeys(("train", "validation", "test"), drawn)
    return LanguageModel(config, Corpus(tokens, names, counts, ""), 1)


def trainers(precision: str) -> dict[str, Trainer]:
    """One for each model, of the preset's sizes."""
    made = {}
    for name in ("rmc", "lstm", "torch.nn.LSTM"):
        flags = ["--config", PRESET, "--core", "rmc" if name == "rmc" else "lstm"]
        config = parse([*flags, "--training.precision", precision], SUPERVISED).config
        task = random_text(WORDS, config.task)
        reader = build_reader(task, config.core, config.reader)
        if name == "torch.nn.LSTM":
            reader.core = TorchLSTM(config.task.embedding, config.core.hidden)
        made[name] = Trainer(reader, task, config.training)
    return made


def speed(precision: str, rounds: int) -> dict[str, Any]:
    """Words per second, and the ratio of each to torch.nn.LSTM."""
    made = trainers(precision)
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for number in range(rounds + 1):  # the first is a warm-up
        for name in list(made)[:: 1 if number % 2 else -1]:
            trainer = made[name]
            started = time.perf_counter()
            for _ in range(UPDATES):
                trainer.update()
            seconds[name].append(time.perf_counter() - started)
    task = made["rmc"].task
    assert isinstance(task, LanguageModel)
    words = UPDATES * task.config.unroll * made["rmc"].config.batch
    theirs = seconds["torch.nn.LSTM"][1:]
    return {
        name: {
            "parameters": num_parameters(made[name].reader),
            "words_per_second": words / statistics.median(times[1:]),
            "ratio_to_torch_nn_LSTM": statistics.median(
                their / our for their, our in zip(theirs, times[1:], strict=True)
            ),
        }
        for name, times in seconds.items()
    }


def measure_memory(kind: str) -> dict[str, Any]:
    """Peak memory of two updates in this process, which should be new."""
    config = LanguageModelConfig(embedding=512, unroll=100, cutoffs=KINDS[kind])
    task = random_text(VOCABULARY, config)
    reader = build_reader(task, LSTMConfig(hidden=1024), ReaderConfig())
    if kind == "whole":
        reader.head.answer = MethodType(Head.answer, reader.head)
    trainer = Trainer(reader, task, TrainingConfig(batch=LANES))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    for _ in range(2):
        trainer.update()
    return {
        "parameters": num_parameters(reader),
        "words_per_update": LANES * config.unroll,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "gib_before_training": before / 2**20,
        "seconds_per_update": (time.perf_counter() - started) / 2,
    }


def main() -> None:
    """Measure all, or the memory of one kind of softmax in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory-of", choices=KINDS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory_of:
        print(json.dumps(measure_memory(arguments.memory_of)))
        return
    found: dict[str, dict[str, Any]] = {"speed": {}, "memory": {}}
    for precision in ("float32", "bfloat16"):
        found["speed"][precision] = speed(precision, arguments.rounds)
        _write(found, arguments.out)
    for kind in KINDS:
        command = [sys.executable, __file__, "--memory-of", kind]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        found["memory"][kind] = json.loads(answer.stdout)
        _write(found, arguments.out)


def _write(found: dict[str, dict[str, Any]], out: Path | None) -> None:
    """Write the results so far."""
    text = json.dumps(found, indent=1)
    print(text, flush=True)
    if out:
        out.write_text(text + "\n")


if __name__ == "__main__":
    main()
