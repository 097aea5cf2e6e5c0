"""Trajectories that do not fit into memory are refused before anything is allocated."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.cli.command_line import parse
from agents.impala.build import build_policy
from agents.impala.learning import batch_memory
from agents.impala.learning.batch_memory import check_memory
from agents.impala.program import IMPALA
from agents.networks.torso import ImageTorso


@pytest.fixture(scope="module")
def run():
    config = parse(["--config", "debug", "--core", "lstm", "--core.hidden", "8"], IMPALA).config
    return config, build_policy(config)


def test_a_run_that_fits_is_accepted(run):
    check_memory(*run)


def test_observations_that_do_not_fit_are_refused_with_the_sizes(run, monkeypatch):
    config, policy = run
    stored = (config.actors + config.batch) * (config.unroll + 1) * 150
    monkeypatch.setattr(batch_memory, "_available", lambda: stored)
    check_memory(config, policy)
    monkeypatch.setattr(batch_memory, "_available", lambda: stored - 1)
    with pytest.raises(ValueError, match=r"--unroll .* observations of 150 bytes need at least"):
        check_memory(config, policy)


def test_what_a_large_torso_keeps_counts_for_a_learner_on_the_cpu(run, monkeypatch):
    config, policy = run
    stored = (config.actors + config.batch) * (config.unroll + 1) * 150
    monkeypatch.setattr(batch_memory, "_available", lambda: stored)
    monkeypatch.setattr(batch_memory, "_LARGE", 0)
    with pytest.raises(ValueError, match="need at least"):
        check_memory(dataclasses.replace(config, device="cpu"), policy)


def test_the_bytes_for_a_gradient_are_those_that_autograd_keeps():
    torso = ImageTorso((6, 6, 3), (4,))
    space = spaces.Box(0, 255, (6, 6, 3), np.uint8)
    floats = 6 * 6 * 3
    padded, after_relu = 7 * 7 * 3, 6 * 6 * 4
    expected = 4 * (floats + padded + after_relu)
    assert batch_memory._bytes_for_gradient(torso, space) == expected
    assert next(torso.parameters()).device == torch.device("cpu")
