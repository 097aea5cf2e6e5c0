"""Sample Factory's APPO with V-trace: two rollout workers, their games in two splits each.

Differs from the release, which crashes when it summarises a batch of V-trace: the summaries use the
advantages that the loss was computed from (two lines, replaced at run time in each of its
processes, which are spawned and import this file).
"""

import inspect
import textwrap

import gymnasium
import job
from sample_factory.algo.learning import learner
from sample_factory.algo.runners.runner import AlgoObserver, Runner
from sample_factory.algo.utils.context import global_model_factory
from sample_factory.cfg.arguments import parse_full_cfg, parse_sf_args
from sample_factory.envs.env_utils import register_env
from sample_factory.model.encoder import Encoder
from sample_factory.train import make_runner
from torch import Tensor

WORKERS, SPLITS = 2, 2


class TorsoEncoder(Encoder):
    """Engram's torso as Sample Factory's encoder."""

    def __init__(self, cfg: object, space: gymnasium.spaces.Dict) -> None:
        super().__init__(cfg)
        self.torso = job.Torso(space["obs"])

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """`[N, H, W, C]` to features."""
        return self.torso(observations["obs"])

    def get_out_size(self) -> int:
        """Features."""
        return self.torso.output_size


def game(name: str, cfg: object, env_config: object, render_mode: str | None = None):
    """One game, with the arguments of Sample Factory."""
    return job.make(name)


class Watch(AlgoObserver):
    """Reports the frames that the learner has consumed."""

    def __init__(self, progress: job.Progress) -> None:
        self.progress = progress

    def on_training_step(self, runner: Runner, training_iteration_since_resume: int) -> None:
        """Called after each update."""
        self.progress.report(sum(runner.env_steps.values()))


def mend_summaries() -> None:
    """Replace `var.mb.advantages`, which V-trace does not have, by `var.adv`."""
    source = textwrap.dedent(inspect.getsource(learner.Learner._record_summaries))
    broken = "var.mb.advantages"
    if source.count(broken) != 2:
        raise RuntimeError(f"this release of Sample Factory does not have {broken} twice")
    exec(source.replace(broken, "var.adv"), learner.__dict__)
    learner.Learner._record_summaries = learner.__dict__.pop("_record_summaries")


mend_summaries()


def flags(env: str, folder: str, games: int) -> list[str]:
    """The command line of a training."""
    asked = {
        "algo": "APPO",
        "env": env,
        "experiment": "run",
        "train_dir": folder,
        "device": "cpu",
        "num_workers": WORKERS,
        "num_envs_per_worker": games // WORKERS,
        "worker_num_splits": SPLITS,
        "with_vtrace": True,
        "use_rnn": True,
        "rnn_type": "lstm",
        "rnn_size": job.HIDDEN,
        "rollout": job.UNROLL,
        "recurrence": job.UNROLL,
        "batch_size": job.BATCH,
        "num_batches_per_epoch": 1,
        "num_epochs": 1,
        "normalize_input": False,
        "normalize_returns": False,
        "obs_scale": 1.0,
        "obs_subtract_mean": 0.0,
        "gamma": job.DISCOUNT,
        "exploration_loss_coeff": job.ENTROPY_COST,
        "value_loss_coeff": job.VALUE_COST,
        "learning_rate": job.LEARNING_RATE,
        "max_grad_norm": job.CLIP_NORM,
        "train_for_env_steps": job.FOREVER,
        "decoder_mlp_layers": "",
    }
    words = []
    for name, value in asked.items():
        words += [f"--{name}={value}"] if value != "" else [f"--{name}"]
    return words


def main() -> None:
    """Train until terminated."""
    asked = job.arguments()
    register_env(asked.env, game)
    global_model_factory().register_encoder_factory(TorsoEncoder)
    words = flags(asked.env, str(asked.folder), asked.games)
    parser, _ = parse_sf_args(words)
    _, runner = make_runner(parse_full_cfg(parser, words))
    runner.register_observer(Watch(job.Progress(asked.progress)))
    runner.init()
    runner.run()


if __name__ == "__main__":
    main()
