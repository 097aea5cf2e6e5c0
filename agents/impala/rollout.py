"""Acting: a group of actors that steps its environments as one batch."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.impala.episodes import Episode
from agents.impala.recorder import TrajectoryRecorder, one_step, to_device
from agents.impala.streams import ActionStreams, actor_seeds
from agents.impala.trajectory import Trajectory
from agents.networks.inputs import Inputs
from agents.networks.policy import Action, Policy
from envs.fault import EnvironmentFault
from memory.core import map_state, state_leaves
from memory.fused.held import weights_held
from memory.layers.captured import Captured


class Unroll(NamedTuple):
    """Result of `Rollout.unroll`."""

    trajectory: Trajectory
    episodes: list[Episode]


class ActInputs(NamedTuple):
    """Inputs of one step of all actors."""

    inputs: Inputs
    """T = 1."""
    state: Any
    uniforms: Tensor


class ActOutputs(NamedTuple):
    """Outputs of one step of all actors."""

    action: Action
    state: Any


class Rollout:
    """A group of environments, their recurrent states, and a copy of the policy.

    Args:
        env: steps `len(actors)` environments, with `AutoresetMode.SAME_STEP`.
        actors: numbers of these actors in the run, which determine their seeds.
        report: names of the environment's `final_info` to keep in `Episode.info`.
        graphs: capture the acting step as a CUDA graph. On a CPU the same code runs uncaptured.

    The policy acts on the device of its weights; trajectories are on the CPU.
    """

    def __init__(
        self,
        env: VectorEnv,
        policy: Policy,
        *,
        actors: range,
        unroll: int,
        seed: int,
        start_version: int = 0,
        attempt: int = 0,
        report: tuple[str, ...] = (),
        graphs: bool = False,
    ) -> None:
        self.env: Any = env  # VectorEnv declares neither seeds per environment nor states
        self.policy, self.actors, self.length = policy.eval(), actors, unroll
        self.report = (*report, "solved")
        seeds = actor_seeds(seed, actors, start_version, attempt)
        self.random = ActionStreams(seeds[:, 1], policy.num_draws)
        count = len(actors)
        self.returns = np.zeros(count)
        self.lengths = np.zeros(count, np.int64)
        with self._locate_faults():
            observations, _ = self.env.reset(seed=[int(s) for s in seeds[:, 0] >> np.uint64(1)])
        self.inputs = Inputs(
            torch.as_tensor(np.array(observations)),
            policy.distribution.no_actions(count),
            torch.zeros(count),
            torch.ones(count, dtype=torch.bool),
        )
        self.state = policy.initial_state(count)
        self.after_step: Callable[[], None] = lambda: None
        self.device = next(policy.parameters()).device
        self._captured = Captured(self._act_on, self.device) if graphs else None

    @torch.no_grad()
    def unroll(self, version: int) -> Unroll:
        """Act for T steps.

        Args:
            version: of the weights in `policy`, recorded in the trajectory.

        Raises:
            EnvironmentFault: an environment raised an error or violated its spaces; names the
                actor and its step.
        """
        with weights_held(self.policy):
            return self._unroll(version)

    def _unroll(self, version: int) -> Unroll:
        recorder = TrajectoryRecorder(self.length, self.inputs, self.policy, self.state, version)
        episodes: list[Episode] = []
        for t in range(self.length):
            action, self.state = self._act()
            recorder.record_action(t, self.inputs, action)
            actions = action.actions.cpu()
            observations, rewards, terminated, truncated, info = self._step_env(actions)
            ended = terminated | truncated
            self.inputs = Inputs(
                torch.as_tensor(observations),
                actions,
                torch.as_tensor(rewards, dtype=torch.float32),
                torch.as_tensor(ended),
            )
            recorder.record_end(t, terminated, truncated)
            if ended.any():
                recorder.record_final(t, info["final_obs"], self.inputs, self.state)
                episodes += self._finished_episodes(ended, info)
            self.after_step()
        return Unroll(recorder.finish(self.inputs, self.state), episodes)

    def get_state(self) -> dict[str, Any]:
        """All that the next unroll depends on, except the weights.

        Raises:
            TypeError: the environment has no `get_state`.
        """
        if not hasattr(self.env, "get_state"):
            raise TypeError(f"{self.env} has no get_state.")
        return {
            "env": self.env.get_state(),
            "random": self.random.streams.copy(),
            "now": list(self.inputs),
            "state": [leaf.cpu() for leaf in state_leaves(self.state)],
            "returns": self.returns.copy(),
            "lengths": self.lengths.copy(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `get_state`."""
        self.env.set_state(state["env"])
        self.random.streams[:] = state["random"]
        self.inputs = Inputs(*state["now"])
        leaves = iter(state["state"])
        self.state = map_state(lambda leaf: next(leaves).to(leaf.device), self.state)
        self.returns, self.lengths = state["returns"].copy(), state["lengths"].copy()

    def _act(self) -> ActOutputs:
        """One step of the policy."""
        inputs = ActInputs(one_step(self.inputs), self.state, torch.as_tensor(self.random.next()))
        if self._captured:
            return self._captured(inputs)
        return self._act_on(to_device(inputs, self.device))

    def _act_on(self, inputs: ActInputs) -> ActOutputs:
        return ActOutputs(*self.policy.act(*inputs))

    def _step_env(self, actions: Tensor) -> tuple[Any, ...]:
        """Step the environments; returns what `VectorEnv.step` returns."""
        with self._locate_faults():
            observations, rewards, terminated, truncated, info = self.env.step(actions.numpy())
        self.returns += rewards
        self.lengths += 1
        return observations, rewards, terminated, truncated, info

    @contextmanager
    def _locate_faults(self) -> Generator[None, None, None]:
        """Add the actor and the step of its episode to a fault."""
        try:
            yield
        except EnvironmentFault as fault:
            actor, step = self.actors[fault.index], int(self.lengths[fault.index]) + 1
            reason = f"actor {actor}, step {step} of its episode: {fault.reason}"
            raise EnvironmentFault(fault.index, reason, trace=fault.trace) from fault

    def _finished_episodes(self, ended: np.ndarray, info: Mapping[str, Any]) -> list[Episode]:
        """The episodes that ended with this step; their counters start again."""
        final = info.get("final_info", {})
        columns = {name: final[name] for name in self.report if name in final}
        episodes = [
            Episode(
                self.actors[i],
                float(self.returns[i]),
                int(self.lengths[i]),
                {name: float(column[i]) for name, column in columns.items()},
            )
            for i in ended.nonzero()[0]
        ]
        self.returns[ended] = 0
        self.lengths[ended] = 0
        return episodes
