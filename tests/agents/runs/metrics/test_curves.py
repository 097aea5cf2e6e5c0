"""Curves, settings and videos reach TensorBoard and Weights & Biases."""

import importlib.util
import sys
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.runs.metrics.curves import TensorBoard, WandB, check_wandb, settings
from agents.runs.metrics.metrics_log import MetricsLog

CONFIG = "core:\n  name: lstm\n  hidden: 8\nloss:\n  rates: [1, 2]\nseed: 3\noverwrite: false\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def events(folder):
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "tensors": 0})
    found.Reload()
    return found


def test_settings_are_flat_and_plain():
    assert dict(settings(CONFIG)) == {
        "core.name": "lstm",
        "core.hidden": 8,
        "loss.rates": "[1, 2]",
        "seed": 3,
        "overwrite": False,
    }


def test_tensorboard_has_curves_settings_and_videos(folder):
    video = folder / "agent.mp4"
    video.with_suffix(".gif").write_bytes(b"GIF89a and more")
    curves = TensorBoard(folder)
    curves.add({"loss/total": 1.5}, 10)
    curves.add_video(video, 10)
    curves.close()
    found = events(folder)
    assert [(e.step, e.value) for e in found.Scalars("loss/total")] == [(10, 1.5)]
    (text,) = found.Tensors("config/text_summary")
    assert CONFIG in text.tensor_proto.string_val[0].decode()
    assert found.Images("video")[0].encoded_image_string == b"GIF89a and more"
    plugins = found.PluginTagToContent("hparams")
    assert b"core.hidden" in plugins["_hparams_/session_start_info"]


def test_a_video_without_its_gif_is_left_out(folder):
    curves = TensorBoard(folder)
    curves.add_video(folder / "agent.mp4", 10)
    curves.close()
    assert not (folder / "tensorboard").exists()


class FakeRun:
    def __init__(self):
        self.logged, self.finished = [], False

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished = True


@pytest.fixture
def wandb(monkeypatch):
    """Stands for the package; `runs` are the runs that were opened."""
    package = SimpleNamespace(runs=[], asked=[], Video=lambda path: f"video {path}")

    def init(**asked):
        package.asked.append(asked)
        package.runs.append(FakeRun())
        return package.runs[-1]

    package.init = init
    monkeypatch.setitem(sys.modules, "wandb", package)
    return package


def test_weights_and_biases_has_curves_settings_and_videos(folder, wandb):
    video = folder / "agent.mp4"
    video.touch()
    curves = WandB(folder, "memory")
    curves.add({"loss/total": 1.5}, 10)
    curves.add_video(video, 10)
    curves.close()
    (run,), (asked,) = wandb.runs, wandb.asked
    assert run.logged == [
        (10, {"loss/total": 1.5, "frame": 10}),
        (10, {"video": f"video {video}"}),
    ]
    assert run.finished
    assert (asked["project"], asked["id"]) == ("memory", folder.name)
    assert asked["config"]["core.hidden"] == 8


def test_a_failure_of_weights_and_biases_stops_neither_training_nor_other_curves(folder, wandb):
    def fail(**_):
        raise ConnectionError("offline")

    wandb.init = fail
    log = MetricsLog(folder)
    log.use_wandb("memory")
    log.log({"loss/total": 1.5}, 10)
    log.close()
    assert log.side_work.num_failures == 1
    assert log.read()[0]["loss/total"] == 1.5
    assert events(folder).Scalars("loss/total")


def test_without_the_package_a_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match="--wandb memory needs the package wandb: pip install wandb"
    ):
        check_wandb("memory")
    check_wandb(None)
