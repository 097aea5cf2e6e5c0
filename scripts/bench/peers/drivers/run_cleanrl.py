"""PPO with an LSTM as CleanRL writes it: one process, a loop of steps, then an update.

The loop is CleanRL's `ppo_atari_lstm.py` in outline (which is a program, not a package): steps of
synchronous games with a batch of one observation each, then the same steps again through the
LSTM, one by one, from the stored state and with an initial state after each end of an episode. One
epoch of one minibatch, so that each frame is used once, as in the other systems.
"""

import itertools

import gymnasium
import job
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Categorical

LAMBDA, CLIP = 0.95, 0.1

State = tuple[Tensor, Tensor]


class Agent(nn.Module):
    """Torso, LSTM, heads."""

    def __init__(self, envs: gymnasium.vector.VectorEnv) -> None:
        super().__init__()
        images, actions = envs.single_observation_space, envs.single_action_space
        assert isinstance(images, spaces.Box) and isinstance(actions, spaces.Discrete)
        self.torso = job.Torso(images)
        self.lstm = nn.LSTM(self.torso.output_size, job.HIDDEN)
        self.actor = nn.Linear(job.HIDDEN, int(actions.n))
        self.critic = nn.Linear(job.HIDDEN, 1)

    def forward(
        self, images: Tensor, state: State, ended: Tensor
    ) -> tuple[Categorical, Tensor, State]:
        """T steps of B games: `[T, B, H, W, C]`, and where the episode before ended, `[T, B]`."""
        features = self.torso(images.flatten(0, 1)).unflatten(0, ended.shape)
        outputs = []
        for x, goes_on in zip(features, 1 - ended, strict=True):
            kept = (goes_on[None, :, None] * state[0], goes_on[None, :, None] * state[1])
            y, state = self.lstm(x[None], kept)
            outputs.append(y)
        hidden = torch.cat(outputs)
        return Categorical(logits=self.actor(hidden)), self.critic(hidden).squeeze(-1), state


class Rollout:
    """Steps all games for an unroll."""

    def __init__(self, envs: gymnasium.vector.VectorEnv, agent: Agent) -> None:
        self.envs, self.agent = envs, agent
        shape = (job.UNROLL, envs.num_envs)
        self.next_image = torch.as_tensor(envs.reset(seed=0)[0])
        self.images = torch.zeros(*shape, *self.next_image.shape[1:])
        self.ended, self.actions = torch.zeros(shape), torch.zeros(shape, dtype=torch.long)
        self.log_probs, self.values, self.rewards = (torch.zeros(shape) for _ in range(3))
        self.next_ended = torch.zeros(envs.num_envs)
        zeros = torch.zeros(1, envs.num_envs, job.HIDDEN)
        self.state = self.first_state = (zeros, zeros)

    @torch.no_grad()
    def unroll(self) -> tuple[Tensor, Tensor]:
        """Fill the arrays; returns advantages and returns, `[T, B]` each."""
        self.first_state = self.state
        for t in range(job.UNROLL):
            self.images[t], self.ended[t] = self.next_image, self.next_ended
            policy, value, self.state = self.agent(
                self.images[t][None], self.state, self.ended[t][None]
            )
            action = policy.sample()
            self.actions[t], self.values[t] = action[0], value[0]
            self.log_probs[t] = policy.log_prob(action)[0]
            image, reward, terminated, truncated, _ = self.envs.step(action[0].numpy())
            self.rewards[t] = torch.as_tensor(reward)
            self.next_image = torch.as_tensor(image)
            self.next_ended = torch.as_tensor(np.logical_or(terminated, truncated)).float()
        return self._advantages()

    def _advantages(self) -> tuple[Tensor, Tensor]:
        _, last, _ = self.agent(self.next_image[None], self.state, self.next_ended[None])
        values = torch.cat([self.values, last])
        goes_on = 1 - torch.cat([self.ended[1:], self.next_ended[None]])
        advantages, trace = torch.zeros_like(self.rewards), torch.zeros(self.envs.num_envs)
        for t in reversed(range(job.UNROLL)):
            delta = self.rewards[t] + job.DISCOUNT * values[t + 1] * goes_on[t] - values[t]
            trace = delta + job.DISCOUNT * LAMBDA * goes_on[t] * trace
            advantages[t] = trace
        return advantages, advantages + self.values


def loss(agent: Agent, rollout: Rollout, advantages: Tensor, returns: Tensor) -> Tensor:
    """PPO's clipped objective, clipped value error and entropy."""
    policy, values, _ = agent(rollout.images, rollout.first_state, rollout.ended)
    ratio = (policy.log_prob(rollout.actions) - rollout.log_probs).exp()
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    gain = torch.min(advantages * ratio, advantages * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
    near = rollout.values + (values - rollout.values).clamp(-CLIP, CLIP)
    value_loss = 0.5 * torch.max((values - returns) ** 2, (near - returns) ** 2).mean()
    return job.VALUE_COST * value_loss - gain - job.ENTROPY_COST * policy.entropy().mean()


def main() -> None:
    """Train until terminated."""
    asked = job.arguments()
    progress = job.Progress(asked.progress)
    envs = gymnasium.vector.SyncVectorEnv(
        [lambda: job.make(asked.env)] * asked.games, autoreset_mode="SameStep"
    )
    agent = Agent(envs)
    optimizer = torch.optim.Adam(agent.parameters(), lr=job.LEARNING_RATE, eps=1e-5)
    rollout = Rollout(envs, agent)
    for update in itertools.count(1):
        advantages, returns = rollout.unroll()
        optimizer.zero_grad()
        loss(agent, rollout, advantages, returns).backward()
        nn.utils.clip_grad_norm_(agent.parameters(), job.CLIP_NORM)
        optimizer.step()
        progress.report(update * job.UNROLL * asked.games)


if __name__ == "__main__":
    main()
