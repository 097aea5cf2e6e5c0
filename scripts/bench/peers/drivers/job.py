"""What all peers share: the command line, the environment, the network and the sizes.

A driver runs in the virtual environment of its peer, with this repository on its path: Engram's own
environments, and the torso of Engram's own policy.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

import gymnasium
import torch
from torch import Tensor, nn

import envs
from agents.networks.torso import ImageTorso

IDS = {"boxworld": "BoxWorldViewport-v0", "minipacman": "MiniPacmanViewport-v0"}
UNROLL, TRAJECTORIES, HIDDEN = 40, 32, 256
"""Steps of a trajectory, trajectories of a batch, hidden units of the LSTM: as Engram's."""
BATCH = UNROLL * TRAJECTORIES
CHANNELS = (12, 24)
DISCOUNT, ENTROPY_COST, VALUE_COST, LEARNING_RATE, CLIP_NORM = 0.99, 0.005, 0.5, 2e-4, 5.0
FOREVER = 10**9
"""Frames; the measurement ends the run before."""

assert set(IDS) <= set(envs.ENVS)


def arguments() -> argparse.Namespace:
    """The command line of a driver."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", choices=IDS, required=True)
    parser.add_argument("--progress", type=Path, required=True, help="file of frames learned")
    parser.add_argument("--folder", type=Path, required=True, help="for what the peer writes")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--games", type=int, default=TRAJECTORIES, help="played at once")
    asked = parser.parse_args()
    for folder in (asked.progress.parent, asked.folder):
        folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(asked.threads)
    return asked


def make(env: str, render_mode: str | None = None) -> gymnasium.Env:
    """One game, through the public API."""
    return gymnasium.make(IDS[env], render_mode=render_mode, disable_env_checker=True)


class Torso(nn.Module):
    """Engram's torso, flattened: the input of its LSTM, without the last action and reward."""

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        super().__init__()
        self.torso = ImageTorso(space.shape, CHANNELS)
        self.output_size = int(torch.Size(self.torso.output_shape).numel())

    def forward(self, images: Tensor) -> Tensor:
        """`[N, H, W, C]` bytes, or floats of the same range, to `[N, output_size]`."""
        return self.torso(images).flatten(1)


class Progress:
    """File of the frames learned from so far."""

    def __init__(self, file: Path) -> None:
        self.file = file.open("w", buffering=1)

    def report(self, frame: int) -> None:
        """Add a line."""
        self.file.write(json.dumps({"frame": int(frame), "time": time.time()}) + "\n")
