"""Training from Python, with the settings and the run folders of the command line."""

from pathlib import Path

import torch

from agents.cli.command_line import ParsedRun, parse_run
from agents.cli.presets import nearest_names
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA
from agents.programs import impala, supervised
from agents.runs.stop_signal import StopSignal
from agents.supervised.config import SupervisedConfig
from agents.supervised.program import SUPERVISED


def impala_config(*flags: str) -> ImpalaConfig:
    """The settings of `engram train FLAGS`, presets included.

    Raises:
        OptionError: a flag or a preset is not valid.
    """
    return parse_run(IMPALA, flags).config


def supervised_config(*flags: str) -> SupervisedConfig:
    """The settings of `engram supervised FLAGS`, presets included.

    Raises:
        OptionError: a flag or a preset is not valid.
    """
    return parse_run(SUPERVISED, flags).config


def train(config: ImpalaConfig | SupervisedConfig) -> Path:
    """Train to the last frame or step; returns the run folder.

    Ctrl-C ends the run with a checkpoint and returns too, so call it in the main thread. The number
    of PyTorch's threads is that of the settings while it trains.

    Raises:
        ValueError: the settings are not valid.
        RunError: the run folder cannot be written.
        CheckpointError: the last checkpoint could not be written.
        NotFinite: the loss or the gradient stays not finite.
    """
    threads = torch.get_num_threads()
    try:
        return _train_agent(config) if isinstance(config, ImpalaConfig) else _train_model(config)
    finally:
        torch.set_num_threads(threads)


def _train_agent(config: ImpalaConfig) -> Path:
    if config.learners > 1:
        raise ValueError("learners > 1 starts processes: use engram train")
    with StopSignal() as stop:
        prepared = impala.prepare(ParsedRun(config, nearest_names(IMPALA, config), None, ()))
        training = impala.build_training(prepared, stop)
        training.train(stop)
    return training.run.folder


def _train_model(config: SupervisedConfig) -> Path:
    if config.data_parallel > 1:
        raise ValueError("data_parallel > 1 starts processes: use engram supervised")
    prepared = supervised.prepare(ParsedRun(config, nearest_names(SUPERVISED, config), None, ()))
    with StopSignal() as stop:
        training = supervised.build_training(prepared, stop)
        training.train(stop)
    assert training.run is not None  # without data_parallel, this process writes it
    return training.run.folder
