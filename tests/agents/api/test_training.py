"""Training from Python is training from the command line."""

from dataclasses import replace

import pytest
import torch

from agents import impala_config, load_agent, load_model, supervised_config, train
from agents.cli.options import OptionError
from agents.impala.program import IMPALA
from agents.programs.impala import main as impala_main
from agents.runs.run import Run

FEW = ("--config", "debug", "--core", "lstm", "--core.hidden", "8", "--frames", "1280")
TASK = ("--task", "delayed_recall", "--core", "gru", "--core.hidden", "8", "--steps", "3",
        "--validate-every", "3", "--training.batch", "4")  # fmt: skip


def test_the_settings_are_those_of_the_flags_and_the_presets():
    config = impala_config(*FEW)
    assert (config.frames, config.actors, config.env.grid_size) == (1280, 8, 8)
    assert supervised_config(*TASK).steps == 3
    with pytest.raises(OptionError, match="Did you mean --frames"):
        impala_config("--frame", "3")


def test_an_agent_trains_as_on_the_command_line(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    here = train(replace(impala_config(*FEW), run_dir=tmp_path / "here", learner_threads=1))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    flags = ["--run-dir", str(tmp_path / "there"), "--learner-threads", "1"]
    assert impala_main([*FEW, *flags]) == 0
    one, other = (Run.open(tmp_path / name, IMPALA).load() for name in ("here", "there"))
    assert here == tmp_path / "here" and one.frame == other.frame == 1280
    assert all(torch.equal(x, other.weights[name]) for name, x in one.weights.items())
    assert Run.open(here, IMPALA).names == ("boxworld", "lstm")
    assert load_agent(here).frame == 1280


def test_weights_of_a_run_start_another(tmp_path):
    first = train(replace(impala_config(*FEW), run_dir=tmp_path / "first"))
    config = replace(impala_config(*FEW), run_dir=tmp_path / "second", seed=5)
    tuned = replace(config, resume_weights=str(first))
    still = replace(tuned.optimizer, learning_rate=1e-30)
    train(replace(tuned, optimizer=still))
    one, other = (load_agent(tmp_path / name).policy for name in ("first", "second"))
    for x, y in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(x, y)


def test_a_model_trains_and_comes_back(tmp_path):
    folder = train(replace(supervised_config(*TASK), run_dir=tmp_path / "run"))
    model = load_model(folder)
    assert (model.step, model.reader.training) == (3, False)
    batch = next(iter(model.task.held_out("test")))
    answered, _ = model.reader.answer(batch)
    assert len(answered.losses) == int(batch.loss_mask.sum())
    assert load_model(folder, best=True).step == 3
