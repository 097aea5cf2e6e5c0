"""Minimum and measured cost of a frame for each agent.

    python scripts/bench/roofline.py --out docs/results/roofline.csv

Multiplications are counted (two operations each) in plain PyTorch: a step of all actors, and an
update of the learner. Bytes are those of the weights, read once per step and,
to learn, written three times and read five times per update (gradient and two moments), and those
of the trajectory. The floor on a CPU is the larger of operations / peak and bytes / bandwidth, both
measured with one thread; the floor on a GPU uses the figures of --gpu. Then acting and learning are
timed on one thread, part by part, in CPU time.
"""

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.runs.process import prepare

prepare()

import torch
from agent import Agent, cpu_time, operations, plain, time_of

from agents.impala.learning.losses import impala_loss
from agents.impala.rollout import Rollout
from agents.impala.trajectory import Trajectory
from agents.networks.policy import PolicyOutput
from memory.core import state_leaves
from memory.fused.held import weights_held

GPU = (67.0, 4800.0)
"""An H200's float32 TFLOP/s outside its tensor cores, and GB/s."""
WEIGHT_PASSES = 8
"""Reads and writes of each weight, its gradient and its moments, per update."""


def main() -> None:
    """Count and time every agent and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
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
    flags = ["--env", env, "--core", core, "--actors", "100"]
    counted = Agent([*flags, *plain(core)])
    agent = Agent(flags)
    weights = 4 * sum(p.numel() for p in agent.learner.policy.parameters())
    frame = sum(leaf.nbytes for leaf in state_leaves(agent.batch)) / agent.learnt
    acting = operations(counted.act) / agent.acted
    learning = operations(counted.learn) / agent.learnt
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
    found = {"acting_us": 1e6 * cpu_time(agent.act) / agent.acted}
    with weights_held(agent.rollout.policy):  # as in an unroll
        for name, part in acting.items():
            found[f"acting_{name}_us"] = 1e6 * cpu_time(part) / acted
    found["learning_us"] = 1e6 * cpu_time(agent.learn) / learnt
    for name, part in learning.items():
        found[f"learning_{name}_us"] = 1e6 * cpu_time(part) / learnt
    return found


def acting_parts(rollout: Rollout) -> dict[str, Callable[[], object]]:
    """Parts of a step of all actors; the rest is bookkeeping."""
    policy = rollout.policy
    inputs = type(rollout.inputs)(*(leaf[None] for leaf in rollout.inputs))
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
    """Parts of an update, forward and backward; the rest is bookkeeping."""
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
    """The loss, given the outputs of the heads."""
    leaves = PolicyOutput(*(leaf.detach().requires_grad_() for leaf in output))
    loss = impala_loss(leaves, batch, agent.config.loss, agent.learner.policy.distribution)
    return loss.policy + loss.value - loss.entropy


def peak(side: int = 1024, channels: int = 256, places: int = 30) -> float:
    """Highest operations per second of some products of square matrices and convolutions.

    Convolutions are included because matrix products in PyTorch do not reach the peak of every CPU.
    """
    a, b = torch.randn(side, side), torch.randn(side, side)
    last = torch.channels_last
    maps = torch.randn(4, channels, places + 2, places + 2).contiguous(memory_format=last)
    weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=last)
    with torch.no_grad():
        product = 2 * side**3 / min(time_of(lambda: a @ b, 20))
        each = 2 * 9 * (channels * places) ** 2 * 4
        return max(product, each / min(time_of(lambda: torch.conv2d(maps, weight), 20)))


def bandwidth(floats: int = 50_000_000) -> float:
    """Highest bytes per second, read and written, of some copies."""
    a, b = torch.ones(floats), torch.ones(floats)
    return 8 * floats / min(time_of(lambda: b.copy_(a), 10))


if __name__ == "__main__":
    main()
