"""The benchmark of nodes."""

import shlex

import nodes
import pytest

from agents.cli.command_line import parse_run
from agents.impala.program import IMPALA


def test_layouts_offer_the_same_cpus_to_valid_runs() -> None:
    for cpus, options in nodes.LAYOUTS.values():
        flags = shlex.split(f"{nodes.RUN} {options} --ray-address 127.0.0.1:6379")
        config = parse_run(IMPALA, flags).config
        assert sum(cpus) == 4 >= config.workers + config.learners


def test_the_rate_counts_frames_between_two_lines() -> None:
    first, last = {"frame": 100, "time": 5.0}, {"frame": 400, "time": 15.0}
    assert nodes.rate(first, last) == pytest.approx(30.0)
