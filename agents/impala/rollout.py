"""Acting: a group of actors stepped as one batch, unroll after unroll, in whatever process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.impala.episodes import Episode
from agents.impala.streams import ActionStreams, actor_seeds
from agents.impala.trajectory import Trajectory
from agents.networks.inputs import Inputs
from agents.networks.policy import Action, Policy
from envs.fault import EnvironmentFault
from memory.core import map_state, state_leaves
from memory.fused.held import weights_held
from memory.layers.captured import Captured


class Unroll(NamedTuple):
    """What one call of `Rollout.unroll` gives."""

    trajectory: Trajectory
    episodes: list[Episode]


class Step(NamedTuple):
    """What one step of all actors is given."""

    inputs: Inputs
    """T = 1."""
    state: Any
    uniforms: Tensor


class Acted(NamedTuple):
    """What one step of all actors gives."""

    action: Action
    state: Any


class Rollout:
    """`len(actors)` environments, their recurrent states, and a copy of the policy.

    Args:
        env: steps `len(actors)` environments; begins episodes in the same step (SAME_STEP).
        actors: numbers of these actors in the run; they decide the seeds.
        report: names in the environment's `final_info` to keep with each episode.
        graphs: capture the acting step. On a CPU, where nothing can be captured, it then computes
            in the same way.

    The policy acts where its weights are; trajectories are on the CPU.
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
        self.env: Any = env  # seeds per environment and states are more than VectorEnv promises
        self.policy, self.actors, self.length = policy.eval(), actors, unroll
        self.report = (*report, "solved")
        seeds = actor_seeds(seed, actors, start_version, attempt)
        self.random = ActionStreams(seeds[:, 1], 1 + policy.decision_size)
        count = len(actors)
        self.returns = np.zeros(count)
        self.lengths = np.zeros(count, np.int64)
        with self._naming_faults():
            observations, _ = self.env.reset(seed=[int(s) for s in seeds[:, 0] >> np.uint64(1)])
        self.now = Inputs(
            torch.as_tensor(np.array(observations)),
            torch.zeros(count, dtype=torch.long),
            torch.zeros(count),
            torch.ones(count, dtype=torch.bool),
        )
        self.state = policy.initial_state(count)
        self.device = next(policy.parameters()).device
        self._captured = Captured(self._step, self.device) if graphs else None

    @torch.no_grad()
    def unroll(self, version: int) -> Unroll:
        """Act for T steps.

        Args:
            version: number of the weights in `policy`, noted in the trajectory.

        Raises:
            EnvironmentFault: an environment raised, or gave what its spaces do not allow; names the
                actor and its step.
        """
        with weights_held(self.policy):
            return self._unroll(version)

    def _unroll(self, version: int) -> Unroll:
        record = Record(self.length, self.now, self.policy, self.state, version)
        episodes: list[Episode] = []
        for t in range(self.length):
            action, self.state = self._act()
            record.act(t, self.now, action)
            actions = action.actions.cpu()
            observations, rewards, terminated, truncated, info = self._advance(actions)
            ended = terminated | truncated
            self.now = Inputs(
                torch.as_tensor(observations),
                actions,
                torch.as_tensor(rewards, dtype=torch.float32),
                torch.from_numpy(ended),
            )
            record.outcome(t, terminated, truncated)
            if ended.any():
                record.note_truncated(t, info["final_obs"], self.now, self.state)
                episodes += self._finish(ended, info)
        record.close(self.now, self.policy, self.state)
        return Unroll(record.trajectory(), episodes)

    def get_state(self) -> dict[str, Any]:
        """Everything that decides what these actors do next, but the weights.

        Raises:
            TypeError: the environment cannot tell its state.
        """
        if not hasattr(self.env, "get_state"):
            raise TypeError(f"{self.env} has no get_state.")
        return {
            "env": self.env.get_state(),
            "random": self.random.streams.copy(),
            "now": list(self.now),
            "state": [leaf.cpu() for leaf in state_leaves(self.state)],
            "returns": self.returns.copy(),
            "lengths": self.lengths.copy(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` gave."""
        self.env.set_state(state["env"])
        self.random.streams[:] = state["random"]
        self.now = Inputs(*state["now"])
        leaves = iter(state["state"])
        self.state = map_state(lambda leaf: next(leaves).to(leaf.device), self.state)
        self.returns, self.lengths = state["returns"].copy(), state["lengths"].copy()

    def _act(self) -> Acted:
        """One step of the policy, from where the actors are."""
        step = Step(_one_step(self.now), self.state, torch.from_numpy(self.random.next()))
        return self._captured(step) if self._captured else self._step(_moved(step, self.device))

    def _step(self, step: Step) -> Acted:
        return Acted(*self.policy.act(*step))

    def _advance(self, actions: Tensor):
        """Step the environments."""
        with self._naming_faults():
            observations, rewards, terminated, truncated, info = self.env.step(actions.numpy())
        self.returns += rewards
        self.lengths += 1
        return observations, rewards, terminated, truncated, info

    @contextmanager
    def _naming_faults(self) -> Iterator[None]:
        """Say of a fault which actor of the run it met, and at which step of its episode."""
        try:
            yield
        except EnvironmentFault as fault:
            actor, step = self.actors[fault.index], int(self.lengths[fault.index]) + 1
            raise EnvironmentFault(
                fault.index, f"actor {actor}, step {step} of its episode: {fault.reason}"
            ) from fault

    def _finish(self, ended: np.ndarray, info: Mapping[str, Any]) -> list[Episode]:
        """The episodes that ended with this step."""
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


def _one_step(inputs: Inputs) -> Inputs:
    """Inputs `[E, ...]` as a sequence of one step `[1, E, ...]`."""
    return Inputs(*(x[None] for x in inputs))


def _moved(state: Any, device: torch.device) -> Any:
    """A state on a device; itself where it is there."""
    return map_state(lambda leaf: leaf.to(device), state)


class Record:
    """The trajectory of one unroll while it is written."""

    def __init__(self, length: int, now: Inputs, policy: Policy, state: Any, version: int) -> None:
        count, num_actions = len(now.resets), policy.encoder.num_actions
        self.device = device = next(policy.parameters()).device
        self.inputs = Inputs(*(x.new_empty(length + 1, *x.shape) for x in now))
        self.logits = torch.empty(length, count, num_actions, device=device)
        self.terminated = torch.empty(length, count, dtype=torch.bool)
        self.truncated = torch.empty(length, count, dtype=torch.bool)
        self.truncation_values = torch.zeros(length, count)
        self.decisions = torch.zeros(length + 1, count, policy.decision_size, device=device)
        self.decision_logits = torch.zeros_like(self.decisions)
        self.state = state
        self.version = torch.full((count,), version)
        self.length = length
        self._truncated_inputs: list[Inputs] = []
        self._truncated_states: list[Any] = []
        self._truncated_at: list[tuple[int, Tensor]] = []

    def act(self, t: int, now: Inputs, action: Action) -> None:
        """Write input t and what was chosen."""
        for whole, part in zip(self.inputs, now, strict=True):
            whole[t] = part
        self.decisions[t], self.decision_logits[t] = action.decisions, action.decision_logits
        if t < self.length:
            self.logits[t] = action.logits

    def outcome(self, t: int, terminated: np.ndarray, truncated: np.ndarray) -> None:
        """Write how transition t ended."""
        self.terminated[t] = torch.from_numpy(terminated)
        self.truncated[t] = torch.from_numpy(truncated & ~terminated)

    def note_truncated(self, t: int, final: np.ndarray, now: Inputs, state: Any) -> None:
        """Keep the final observations of truncated episodes, to be valued together at the end."""
        where = self.truncated[t].nonzero().squeeze(1)
        if not len(where):
            return
        last = torch.as_tensor(np.stack(list(final[where.numpy()])))
        going_on = torch.zeros(len(where), dtype=torch.bool)
        self._truncated_inputs.append(
            Inputs(last, now.last_actions[where], now.last_rewards[where], going_on)
        )
        self._truncated_states.append(map_state(lambda leaf: leaf[where], state))
        self._truncated_at.append((t, where))

    def close(self, now: Inputs, policy: Policy, state: Any) -> None:
        """Write the last input, and the values of what was truncated."""
        action, _ = policy.act(_moved(_one_step(now), self.device), state, None)
        self.act(self.length, now, action)
        if self._truncated_at:
            inputs = Inputs(*(torch.cat(x) for x in zip(*self._truncated_inputs, strict=True)))
            states = map_state(lambda *leaves: torch.cat(leaves), *self._truncated_states)
            action, _ = policy.act(_moved(_one_step(inputs), self.device), states, None)
            counts = [len(where) for _, where in self._truncated_at]
            for (t, where), values in zip(
                self._truncated_at, action.values.cpu().split(counts), strict=True
            ):
                self.truncation_values[t, where] = values

    def trajectory(self) -> Trajectory:
        """What was written, on the CPU."""
        whole = Trajectory(
            self.inputs,
            self.logits,
            self.terminated,
            self.truncated,
            self.truncation_values,
            self.decisions,
            self.decision_logits,
            self.state,
            self.version,
        )
        return _moved(whole, torch.device("cpu"))
