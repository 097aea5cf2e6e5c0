"""A batch of games as a `gymnasium.vector.VectorEnv`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import error
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.game import Game, by_name


class GameVectorEnv(VectorEnv):
    """A batch of games, stepped together by compiled rules.

    All three autoreset modes of Gymnasium are implemented. Returned arrays belong to the caller:
    they are not overwritten while the caller holds them, or anything that shares their memory.
    `step_into` writes observations into an array of the caller's.

    Args:
        game: the batch of games.
        autoreset_mode: what happens to a game that has ended. NEXT_STEP: its next step ignores the
            action and starts an episode. SAME_STEP: an episode starts at once, and the last
            observation and info are in `infos["final_obs"]` and `infos["final_info"]`
            (arrays over all games, valid where `infos["_final_obs"]`). DISABLED: the caller
            resets it with `options["reset_mask"]`.
        render_mode: `"rgb_array"`, `"ansi"`, or None.
    """

    def __init__(
        self,
        game: Game[Any],
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        self.game = game
        self.num_envs = game.num_games
        self._spec: EnvSpec | None = None
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {
            "render_modes": ["rgb_array", "ansi"],
            "render_fps": 8,
            "autoreset_mode": self.autoreset_mode,
        }
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.single_observation_space = game.observation_space
        self.single_action_space = game.action_space
        self._num_actions = int(game.action_space.n)
        self.observation_space = batch_space(game.observation_space, self.num_envs)
        self.action_space = batch_space(game.action_space, self.num_envs)
        self._all = np.ones(self.num_envs, np.bool_)
        self._running = np.zeros(self.num_envs, np.bool_)
        self._started = np.zeros(self.num_envs, np.bool_)
        self._ready = False  # whether every game is known to have started

    @property
    def spec(self) -> EnvSpec | None:
        """Gymnasium's specification, with the step limit of these games."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:  # type: ignore[reportIncompatibleVariableOverride]
        limit = self.game.config.max_episode_steps
        self._spec = spec and replace(spec, max_episode_steps=limit)

    def reset(
        self,
        *,
        seed: int | np.integer | Sequence[int] | np.ndarray | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode in all games, or in those of `options["reset_mask"]`.

        Args:
            seed: restarts the random streams of the games that are reset. An integer s gives game
                i the seed s + i; or one seed for each game.
            options: `reset_mask`, and level options of the game, which hold from the next
                episode of each game on.
        """
        options = dict(options or {})
        mask = self._check_mask(options.pop("reset_mask", self._all))
        super().reset(seed=int(seed) if isinstance(seed, int | np.integer) else None)
        seeds = None if seed is None else spread_seed(seed, self.num_envs)
        if options:
            self.game.set_options(options)
        self._seed(seeds, mask)
        self.game.begin(mask)
        self._started |= mask
        self._running |= mask
        observations = np.zeros(self.observation_space.shape or (), np.uint8)
        info = np.zeros(self.num_envs, self.game.info_dtype)
        self.game.show(self._started, observations, info)
        return observations, by_name(info)

    def _check_mask(self, mask: np.ndarray) -> np.ndarray:
        array = np.asarray(mask)
        if array.shape != (self.num_envs,) or array.dtype != np.bool_:
            raise ValueError(
                f"options['reset_mask'] is {array.dtype} {list(array.shape)}; "
                f"it must be bool [{self.num_envs}]"
            )
        if not array.any():
            raise ValueError("options['reset_mask'] is False everywhere; one game must be reset")
        return np.ascontiguousarray(array)

    def _seed(self, seeds: np.ndarray | None, mask: np.ndarray) -> None:
        """Restart the masked streams if there are seeds, or if they were never started."""
        if seeds is None:
            mask = mask & ~self._started
            if not mask.any():
                return
            seeds = spread_seed(draw_seed(self.np_random), self.num_envs)
        self.game.seed(seeds, mask)

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every game by one step; the returned arrays belong to the caller."""
        observations = np.empty(self.observation_space.shape or (), np.uint8)
        return self._advance(self._check_actions(actions), observations)

    def step_into(
        self, actions: np.ndarray, observations_out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every game by one step, and write the observations into the caller's array."""
        self._check_out(observations_out)
        if observations_out.flags.c_contiguous:
            return self._advance(self._check_actions(actions), observations_out)
        observations, rewards, terminated, truncated, infos = self.step(actions)
        observations_out[...] = observations
        return observations_out, rewards, terminated, truncated, infos

    def _advance(
        self, actions: np.ndarray, observations: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        if not self._ready or self.autoreset_mode is AutoresetMode.DISABLED:
            self._check_running()
        rewards = np.zeros(self.num_envs)
        terminated = np.zeros(self.num_envs, np.bool_)
        truncated = np.zeros(self.num_envs, np.bool_)
        info = np.empty(self.num_envs, self.game.info_dtype)
        count = self.game.step(
            actions,
            self._running,
            rewards,
            terminated,
            truncated,
            self._all,
            observations,
            info,
        )
        if count < 0:
            raise ValueError(
                f"actions range over {actions.min()}..{actions.max()}; "
                f"allowed are 0..{self._num_actions - 1}"
            )
        final = {}
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._autoreset_late(terminated | truncated, observations, info)
        elif count:
            final = self._autoreset(terminated | truncated, observations, info)
        return observations, rewards, terminated, truncated, by_name(info) | final

    def _check_running(self) -> None:
        """Refuse to step a game that was never reset, or that the caller has to reset."""
        self._ready = bool(self._started.all())
        if not self._ready:
            raise error.ResetNeeded("a game was never reset; call reset() before step()")
        if self.autoreset_mode is AutoresetMode.DISABLED and not self._running.all():
            ended = np.flatnonzero(~self._running).tolist()
            raise error.ResetNeeded(
                f"games {ended} have ended; reset them with options={{'reset_mask': ...}}, "
                "or choose another autoreset_mode"
            )

    def _autoreset_late(
        self, ended: np.ndarray, observations: np.ndarray, info: np.ndarray
    ) -> None:
        """Start episodes in games that had ended before this step, if that is the mode."""
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and not self._running.all():
            self._restart(~self._running, observations, info)
        self._running = ~ended

    def _autoreset(
        self, ended: np.ndarray, observations: np.ndarray, info: np.ndarray
    ) -> dict[str, Any]:
        """Restart the games that have just ended; returns their last observations and infos."""
        (rows,) = ended.nonzero()
        final_observations = np.zeros_like(observations)
        final_observations[rows] = observations[rows]
        final_info = info.view(np.uint8).copy().view(info.dtype)  # by fields takes far longer
        self._restart(ended, observations, info)
        return {
            "final_obs": final_observations,
            "_final_obs": ended,
            "final_info": by_name(final_info),
            "_final_info": ended.copy(),
        }

    def _restart(self, mask: np.ndarray, observations: np.ndarray, info: np.ndarray) -> None:
        self.game.begin(mask)
        self.game.show(mask, observations, info)

    def _check_actions(self, actions: np.ndarray) -> np.ndarray:
        array = np.asarray(actions)
        if array.shape != (self.num_envs,) or array.dtype.kind not in "iu":
            raise ValueError(
                f"actions are {array.dtype} {list(array.shape)}; "
                f"they must be integers [{self.num_envs}]"
            )
        return np.ascontiguousarray(array, np.int64)

    def _check_out(self, out: np.ndarray) -> None:
        space = self.observation_space
        if out.shape != space.shape or out.dtype != space.dtype:
            raise ValueError(
                f"observations_out is {out.dtype} {list(out.shape)}; "
                f"it must be {space.dtype} {list(space.shape or ())}"
            )

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Change level options, from the next episode of each game on."""
        self.game.set_options(options)

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that determines the future, as arrays by name; copies."""
        return self.game.get_state() | {
            "running": self._running.copy(),
            "started": self._started.copy(),
        }

    def set_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Resume exactly where `get_state` was called."""
        if state["running"].shape != (self.num_envs,):
            raise ValueError(
                f"the state is of {state['running'].size} games; this environment has "
                f"{self.num_envs}"
            )
        self.game.set_state({k: v for k, v in state.items() if k not in ("running", "started")})
        self._ready = False
        self._running = np.array(state["running"], np.bool_)
        self._started = np.array(state["started"], np.bool_)

    def render(self) -> tuple[Any, ...] | None:
        """A frame of each game, or its text."""
        if self.render_mode is None:
            return None
        draw = self.game.text if self.render_mode == "ansi" else self.game.frame
        return tuple(draw(i) for i in range(self.num_envs))


def check_render_mode(render_mode: str | None, allowed: Sequence[str]) -> str | None:
    """The mode itself, if it is allowed or None.

    Raises:
        ValueError: another mode; names those allowed.
    """
    if render_mode is not None and render_mode not in allowed:
        raise ValueError(f"render_mode is {render_mode!r}; allowed are None, {', '.join(allowed)}")
    return render_mode


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for games that got none."""
    return int(rng.integers(2**63))


def spread_seed(seed: int | np.integer | Sequence[int] | np.ndarray, num_games: int) -> np.ndarray:
    """A seed for each game, uint64: s, s + 1, ... from an integer, else the ones given."""
    if isinstance(seed, int | np.integer):
        if not 0 <= seed < 2**64:
            raise ValueError("a seed is negative or 2**64 or more; seeds are 64-bit numbers")
        seeds = [(int(seed) + i) % 2**64 for i in range(num_games)]
    else:
        seeds = [int(s) for s in seed]
    if len(seeds) != num_games:
        raise ValueError(f"{len(seeds)} seeds were given for {num_games} games; give one for each")
    if min(seeds) < 0 or max(seeds) >= 2**64:
        raise ValueError("a seed is negative or 2**64 or more; seeds are 64-bit numbers")
    return np.array(seeds, np.uint64)
