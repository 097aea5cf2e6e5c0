"""PufferLib's own trainer: one process (serial back end), its defaults except sizes and costs.

Differs from the release: the kernel for advantages runs on the CPU even if a CUDA compiler is on
the path.
"""

import ast
import configparser
from functools import partial
from pathlib import Path

import job
import pufferlib.models
import pufferlib.pufferl
import pufferlib.vector
from pufferlib.emulation import GymnasiumPufferEnv
from torch import Tensor, nn


class Policy(nn.Module):
    """The module that PufferLib's LSTM wrapper wraps: torso before, heads after the LSTM."""

    is_continuous = False
    hidden_size = job.HIDDEN

    def __init__(self, env: pufferlib.vector.Serial) -> None:
        super().__init__()
        self.torso = job.Torso(env.single_observation_space)
        self.actor = nn.Linear(job.HIDDEN, int(env.single_action_space.n))
        self.critic = nn.Linear(job.HIDDEN, 1)

    def encode_observations(self, observations: Tensor, state: dict | None = None) -> Tensor:
        """`[N, H, W, C]` bytes to features."""
        return self.torso(observations)

    def decode_actions(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and values."""
        return self.actor(hidden), self.critic(hidden)


def settings(folder: Path, games: int) -> dict:
    """The default settings of PufferLib, with the common sizes and costs."""
    shipped = configparser.ConfigParser()
    shipped.read(Path(pufferlib.__file__).parent / "config/default.ini")
    values = {name: _literal(value) for name, value in shipped["train"].items()}
    return values | {
        "device": "cpu",
        "optimizer": "adam",
        "use_rnn": True,
        "env": "engram",
        "data_dir": str(folder),
        "total_timesteps": job.FOREVER,
        "batch_size": games * job.UNROLL,
        "minibatch_size": job.BATCH,
        "max_minibatch_size": job.BATCH,
        "bptt_horizon": job.UNROLL,
        "learning_rate": job.LEARNING_RATE,
        "gamma": job.DISCOUNT,
        "ent_coef": job.ENTROPY_COST,
        "vf_coef": job.VALUE_COST,
        "max_grad_norm": job.CLIP_NORM,
    }


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def game(env: str, buf: dict | None = None, seed: int = 0) -> GymnasiumPufferEnv:
    """One game in PufferLib's wrapper."""
    return GymnasiumPufferEnv(env_creator=partial(job.make, env), buf=buf, seed=seed)


def main() -> None:
    """Train until terminated."""
    asked = job.arguments()
    progress = job.Progress(asked.progress)
    pufferlib.pufferl.ADVANTAGE_CUDA = False
    envs = pufferlib.vector.make(
        partial(game, asked.env), num_envs=asked.games, backend=pufferlib.vector.Serial
    )
    policy = pufferlib.models.LSTMWrapper(
        envs, policy := Policy(envs), policy.torso.output_size, job.HIDDEN
    )
    trainer = pufferlib.pufferl.PuffeRL(settings(asked.folder, asked.games), envs, policy)
    while True:
        trainer.evaluate()
        trainer.train()
        progress.report(trainer.global_step)


if __name__ == "__main__":
    main()
