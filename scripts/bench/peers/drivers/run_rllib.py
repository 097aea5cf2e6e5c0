"""RLlib's IMPALA on its new API stack: two env runners, and the learner in the main process."""

from typing import Any

import job
import numpy as np
import ray
from ray.rllib.algorithms.impala import IMPALAConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.tune.registry import register_env
from torch import Tensor, nn

RUNNERS = 2


class Module(TorchRLModule, ValueFunctionAPI):
    """Torso, LSTM, heads; RLlib puts the batch first, and pads where an episode ends."""

    def setup(self) -> None:
        """Make the layers."""
        self.torso = job.Torso(self.observation_space)
        self.lstm = nn.LSTM(self.torso.output_size, job.HIDDEN, batch_first=True)
        self.actor = nn.Linear(job.HIDDEN, int(self.action_space.n))
        self.critic = nn.Linear(job.HIDDEN, 1)

    def get_initial_state(self) -> dict[str, np.ndarray]:
        """Zeros."""
        return {name: np.zeros(job.HIDDEN, np.float32) for name in ("h", "c")}

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        hidden, state = self._unroll(batch)
        return {Columns.ACTION_DIST_INPUTS: self.actor(hidden), Columns.STATE_OUT: state}

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        hidden, state = self._unroll(batch)
        return {
            Columns.ACTION_DIST_INPUTS: self.actor(hidden),
            Columns.STATE_OUT: state,
            Columns.EMBEDDINGS: hidden,
        }

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """Values `[B, T]`."""
        hidden = self._unroll(batch)[0] if embeddings is None else embeddings
        return self.critic(hidden).squeeze(-1)

    def _unroll(self, batch: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        images, state = batch[Columns.OBS], batch[Columns.STATE_IN]
        features = self.torso(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        hidden, (h, c) = self.lstm(features, (state["h"][None], state["c"][None]))
        return hidden, {"h": h[0], "c": c[0]}


def configuration(env: str, games: int) -> IMPALAConfig:
    """IMPALA with the common sizes; V-trace is its default."""
    return (
        IMPALAConfig()
        .environment(env)
        .env_runners(
            num_env_runners=RUNNERS,
            num_envs_per_env_runner=games // RUNNERS,
            rollout_fragment_length=job.UNROLL,
        )
        .learners(num_learners=0)
        .training(
            train_batch_size_per_learner=job.BATCH,
            gamma=job.DISCOUNT,
            lr=job.LEARNING_RATE,
            entropy_coeff=job.ENTROPY_COST,
            vf_loss_coeff=job.VALUE_COST,
            grad_clip=job.CLIP_NORM,
        )
        # One more step than an unroll has: RLlib adds the one that bootstraps.
        .rl_module(
            rl_module_spec=RLModuleSpec(
                module_class=Module, model_config={"max_seq_len": job.UNROLL + 1}
            )
        )
        .reporting(min_time_s_per_iteration=1)
    )


def main() -> None:
    """Train until terminated."""
    asked = job.arguments()
    progress = job.Progress(asked.progress)
    ray.init(num_cpus=RUNNERS, include_dashboard=False)
    register_env(asked.env, lambda context: job.make(asked.env))
    algorithm = configuration(asked.env, asked.games).build_algo()
    while True:
        learned = algorithm.train().get("learners", {}).get("__all_modules__", {})
        if frames := learned.get("num_env_steps_trained_lifetime"):
            progress.report(frames)


if __name__ == "__main__":
    main()
