"""What a frame of each agent costs at least, and what it costs here.

    python scripts/bench/roofline.py --out docs/results/roofline.csv

Multiplications are counted (two operations each) while PyTorch computes the plain way: a step of
all actors, and an update of the learner. Bytes are those of the weights, read once per step and,
to learn, written three times and read five times per update (gradient and two moments), and those
of the trajectory. The floor on a CPU is the larger of operations / peak and bytes / bandwidth, both
measured here, with one thread; that on a GPU is the same for the one that --gpu describes. Then the
two halves of the work are timed here, on one thread, part by part, in CPU time.
"""

import argparse
import csv
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.process import prepare

prepare()

import torch
from torch.utils.flop_counter import FlopCounterMode

from agents.build import build_learner, build_policy, build_rollout
from agents.command_line import parse
from agents.losses import impala_loss
from agents.policy import PolicyOutput
from agents.rollout import Rollout
from agents.trajectory import Trajectory, take
from memory.core import state_leaves

GPU = (67.0, 4800.0)
"""An H200's float32 TFLOP/s outside its tensor cores, and GB/s."""
WEIGHT_PASSES = 8
"""Readings and writings of each weight, or of what belongs to it, per update."""


class Agent:
    """One network with trajectories to learn from."""

    def __init__(self, env: str, core: str, fused: bool) -> None:
        plain = ["--core.fused", "never"] if not fused and core in ("rmc", "lstm") else []
        flags = ["--env", env, "--core", core, "--actors", "100", *plain]
        self.config = parse(flags).config
        policy = build_policy(self.config)
        self.rollout = build_rollout(self.config, policy, range(self.config.actors), 0)
        self.learner = build_learner(self.config, build_policy(self.config))
        for _ in range(3):  # so that episodes no longer end together
            trajectory = self.rollout.unroll(0).trajectory
        self.batch = take(trajectory, 0, min(self.config.batch, self.config.actors))

    @property
    def acted(self) -> int:
        """Frames of an unroll of all actors."""
        return self.config.unroll * self.config.actors

    @property
    def learnt(self) -> int:
        """Frames of an update."""
        return self.batch.terminated.numel()


def main() -> None:
    """Count and time every agent, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--envs", nargs="+", default=["boxworld", "minipacman"])
    parser.add_argument("--cores", nargs="+", default=["lstm", "rmc", "convlstm"])
    parser.add_argument("--gpu", nargs=2, type=float, default=GPU, metavar=("TFLOPS", "GBPS"))
    asked = parser.parse_args()
    if not asked.out.parent.is_dir():
        parser.error(f"--out {asked.out}: there is no folder {asked.out.parent}")
    torch.set_num_threads(1)
    machine = {"cpu": (peak(), bandwidth()), "gpu": (1e12 * asked.gpu[0], 1e9 * asked.gpu[1])}
    rows = []
    for env in asked.envs:
        for core in asked.cores:
            rows.append({"env": env, "core": core, **figures(env, core, machine)})
            print(rows[-1])
    with asked.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def figures(env: str, core: str, machine: dict[str, tuple[float, float]]) -> dict[str, str]:
    """One row of the table; times are microseconds per frame."""
    plain, agent = Agent(env, core, fused=False), Agent(env, core, fused=True)
    weights = 4 * sum(p.numel() for p in agent.learner.policy.parameters())
    frame = sum(leaf.nbytes for leaf in state_leaves(agent.batch)) / agent.learnt
    acting = operations(lambda: plain.rollout.unroll(0)) / agent.acted
    learning = operations(lambda: plain.learner.update(plain.batch)) / agent.learnt
    acting_bytes = frame + weights / agent.config.actors
    learning_bytes = frame + WEIGHT_PASSES * weights / agent.learnt
    row = {
        "cpu_peak_gflops": machine["cpu"][0] / 1e9,
        "cpu_gbps": machine["cpu"][1] / 1e9,
        "weights_mb": weights / 1e6,
        "acting_mflop": acting / 1e6,
        "learning_mflop": learning / 1e6,
        "acting_kb": acting_bytes / 1e3,
        "learning_kb": learning_bytes / 1e3,
    }
    for name, (flops, rate) in machine.items():
        row[f"floor_acting_us_{name}"] = 1e6 * max(acting / flops, acting_bytes / rate)
        row[f"floor_learning_us_{name}"] = 1e6 * max(learning / flops, learning_bytes / rate)
    row |= times(agent)
    return {name: f"{value:.3g}" for name, value in row.items()}


def times(agent: Agent) -> dict[str, float]:
    """CPU microseconds per frame of acting and learning, and of their parts."""
    acting, acted = acting_parts(agent.rollout), agent.config.actors
    learning, learnt = learning_parts(agent), agent.learnt
    found = {"acting_us": 1e6 * cpu_time(lambda: agent.rollout.unroll(0)) / agent.acted}
    found |= {f"acting_{name}_us": 1e6 * cpu_time(part) / acted for name, part in acting.items()}
    found["learning_us"] = 1e6 * cpu_time(lambda: agent.learner.update(agent.batch)) / learnt
    for name, part in learning.items():
        found[f"learning_{name}_us"] = 1e6 * cpu_time(part) / learnt
    return found


def acting_parts(rollout: Rollout) -> dict[str, Callable[[], object]]:
    """What a step of all actors consists of; the rest is bookkeeping."""
    policy = rollout.policy
    inputs = type(rollout.now)(*(leaf[None] for leaf in rollout.now))
    actions = torch.zeros(len(rollout.actors), dtype=torch.long).numpy()
    with torch.no_grad():
        features = policy.encoder(inputs)[0]
    parts: dict[str, Callable[[], object]] = {
        "environment": lambda: rollout.env.step(actions),
        "encoder": lambda: policy.encoder(inputs),
        "core": lambda: policy.core.step(features, rollout.state),
    }
    return {name: torch.no_grad()(part) for name, part in parts.items()}


def learning_parts(agent: Agent) -> dict[str, Callable[[], object]]:
    """What an update consists of, forward and backward; the rest is bookkeeping."""
    learner, batch = agent.learner, agent.batch
    policy = learner.policy
    with torch.no_grad():
        features = policy.encoder(batch.inputs)
        output = policy(batch.inputs, batch.state, batch.decisions)
    features.requires_grad_()

    def core() -> None:
        policy.core(features, batch.state, batch.inputs.resets)[0].sum().backward()

    def optimizer() -> None:
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        learner.optimizer.step()

    return {
        "encoder": lambda: policy.encoder(batch.inputs).sum().backward(),
        "core": core,
        "loss": lambda: loss_of(output, batch, agent).backward(),
        "optimizer": optimizer,
    }


def loss_of(output: PolicyOutput, batch: Trajectory, agent: Agent) -> torch.Tensor:
    """The loss behind the heads."""
    leaves = PolicyOutput(*(leaf.detach().requires_grad_() for leaf in output))
    loss = impala_loss(leaves, batch, agent.config.loss)
    return loss.policy + loss.value - loss.entropy


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations in products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def peak(side: int = 1024) -> float:
    """Operations per second of the best of some products of square matrices."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    return 2 * side**3 / min(time_of(lambda: a @ b, 20))


def bandwidth(floats: int = 50_000_000) -> float:
    """Bytes per second, read and written, of the best of some copies."""
    a, b = torch.ones(floats), torch.ones(floats)
    return 8 * floats / min(time_of(lambda: b.copy_(a), 10))


def cpu_time(work: Callable[[], object], repeats: int = 9) -> float:
    """Median CPU seconds of a call, after one that does not count."""
    return statistics.median(time_of(work, repeats + 1)[1:])


def time_of(work: Callable[[], object], repeats: int) -> list[float]:
    """CPU seconds of each of some calls."""
    found = [math.inf] * repeats
    for i in range(repeats):
        begun = time.process_time()
        work()
        found[i] = time.process_time() - begun
    return found


if __name__ == "__main__":
    main()
