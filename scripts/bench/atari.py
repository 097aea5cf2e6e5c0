"""Frames per second on Atari's Breakout at 84 x 84, beside CleanRL's network and loop:
`python scripts/bench/atari.py`.

Both act in 8 games and learn from unrolls of 128 steps in one process on one thread; the rounds
alternate. The peer is CleanRL's `ppo_atari_lstm.py` in outline: the network of Mnih et al. 2015
with 512 units, an LSTM of 128, and PPO with 4 epochs of 4 minibatches; here also with one epoch of
one minibatch, which uses each frame once, as IMPALA does. Times are of the processor. Needs the
extra `benchmarks`.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.impala.program import IMPALA
from agents.runs.process import prepare

prepare()

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from agents.cli.command_line import parse
from agents.impala.build import build_learner, build_policy
from agents.impala.local_workers import LocalWorkers
from agents.impala.trajectory_queue import TrajectoryQueue
from agents.impala.workers import UnrollRequest
from agents.runs.weights import flatten

GAMES, UNROLL, HIDDEN = 8, 128, 128
FLAGS = f"""--env gymnasium --env.id ale_py:ALE/Breakout-v5 --env.kwargs.frameskip 1
    --env.wrappers gymnasium.wrappers:AtariPreprocessing --core lstm --core.hidden {HIDDEN}
    --workers 0 --actors {GAMES} --batch {GAMES} --unroll {UNROLL}""".split()


def engram() -> Callable[[], None]:
    """One unroll and one update of IMPALA."""
    config = parse(FLAGS, IMPALA).config
    learner = build_learner(config, build_policy(config))

    def request() -> UnrollRequest:
        return UnrollRequest(flatten(learner.policy), learner.updates, {})

    workers, queue = LocalWorkers(config, request), TrajectoryQueue()

    def step() -> None:
        while len(queue) < GAMES:
            for result in workers.gather(GAMES, wait=True):
                queue.put(result.unroll.trajectory)
        learner.update(queue.take(GAMES))

    return step


class Agent(nn.Module):
    """CleanRL's network."""

    def __init__(self, num_actions: int) -> None:
        super().__init__()
        self.torso = nn.Sequential(
            *(nn.Conv2d(1, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU()),
            *(nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 7 * 7, 512), nn.ReLU()),
        )
        self.lstm = nn.LSTM(512, HIDDEN)
        self.actor, self.critic = nn.Linear(HIDDEN, num_actions), nn.Linear(HIDDEN, 1)

    def forward(self, images: Tensor, state: Any, ended: Tensor) -> tuple[Categorical, Tensor, Any]:
        """T steps of B games, bytes `[T, B, 84, 84]`."""
        features = self.torso(images.flatten(0, 1)[:, None] / 255).unflatten(0, ended.shape)
        outputs = []
        for x, goes_on in zip(features, 1 - ended, strict=True):
            y, state = self.lstm(x[None], tuple(goes_on[None, :, None] * s for s in state))
            outputs.append(y)
        hidden = torch.cat(outputs)
        return Categorical(logits=self.actor(hidden)), self.critic(hidden).squeeze(-1), state


def as_images(packed: np.ndarray) -> Tensor:
    """Bytes `[B, 84 * 84]` as `[B, 84, 84]`."""
    return torch.as_tensor(packed.reshape(-1, 84, 84))


def cleanrl(epochs: int, minibatches: int) -> Callable[[], None]:
    """One unroll and its updates."""
    envs: Any = parse(FLAGS, IMPALA).config.env.make_vector(GAMES)
    agent = Agent(int(envs.single_action_space.n))
    optimizer = torch.optim.Adam(agent.parameters(), lr=2.5e-4, eps=1e-5)
    zeros = torch.zeros(1, GAMES, HIDDEN)
    now = {"image": as_images(envs.reset(seed=0)[0]), "state": (zeros, zeros)}
    now["ended"] = torch.zeros(GAMES)

    def unroll() -> list[Tensor]:
        steps = []
        for _ in range(UNROLL):
            with torch.no_grad():
                policy, value, state = agent(now["image"][None], now["state"], now["ended"][None])
            action = policy.sample()[0]
            image, reward, terminated, truncated, _ = envs.step(action.numpy())
            log_prob = policy.log_prob(action[None])[0]
            rewards = torch.as_tensor(reward).float()
            steps.append((now["image"], now["ended"], action, log_prob, value[0], rewards))
            ended = torch.as_tensor(terminated | truncated).float()
            now.update(image=as_images(image), ended=ended, state=state)
        return [torch.stack(column) for column in zip(*steps, strict=True)]

    def step() -> None:
        first: Any = now["state"]
        images, ended, actions, log_probs, values, rewards = unroll()
        returns = values + rewards  # what the targets are does not change the cost
        for games in torch.arange(GAMES).chunk(minibatches) * epochs:
            state = tuple(s[:, games] for s in first)
            policy, now_values, _ = agent(images[:, games], state, ended[:, games])
            ratio = (policy.log_prob(actions[:, games]) - log_probs[:, games]).exp()
            gain = (returns - values)[:, games]
            gain = torch.min(gain * ratio, gain * ratio.clamp(0.9, 1.1)).mean()
            error = (now_values - returns[:, games]).square().mean()
            optimizer.zero_grad()
            (0.25 * error - gain - 0.01 * policy.entropy().mean()).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()

    return step


def main() -> None:
    """Print frames per second of processor time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    systems = {
        "Engram, IMPALA": engram(),
        "CleanRL's loop, 1 epoch of 1 minibatch": cleanrl(1, 1),
        "CleanRL's loop, 4 epochs of 4 minibatches": cleanrl(4, 4),
    }
    times: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds + 1):  # the first is a warm-up
        for name, step in systems.items():
            started = time.process_time()
            step()
            times[name].append(time.process_time() - started)
    for name, seconds in times.items():
        print(f"{name}: {GAMES * UNROLL / statistics.median(seconds[1:]):,.0f} frames/s")


if __name__ == "__main__":
    main()
