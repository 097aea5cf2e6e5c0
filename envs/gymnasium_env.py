"""Any environment that is registered with Gymnasium."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import Any, Literal, Self

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from envs.checks import check_whole
from envs.config import EnvConfig
from envs.spaces.action_mask import ACTION_MASK, Masks, is_maskable, mask_in
from envs.spaces.leaves import Reading, Scale
from envs.watched import SafelyClosed, Watched, working_folder_kept


@dataclass(frozen=True, kw_only=True)
class GymnasiumConfig(EnvConfig):
    """An environment registered with Gymnasium, by its id."""

    id: str = "CartPole-v1"  # type: ignore[reportIncompatibleMethodOverride]  # an option here
    """The id; `module:Id-v0` imports the module first, which then registers it."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `gymnasium.make`."""
    channels_first: bool | None = None
    """Axis order of images; None decides by the shape, and the first lines of a run say how."""
    wrappers: tuple[str, ...] = ()
    """Wrappers to apply, `module:Class`, the innermost first."""
    action_mask: bool = True
    """Allow only the actions that `info["action_mask"]` allows, where there is one."""
    time_limit: int | None = None
    """Steps after which an episode is truncated, by a wrapper outside of all others."""
    vectorise: Literal["sync", "async"] = "sync"
    """How a batch is stepped: in turn, or `async`: in a process each, for slow environments."""
    gaussian: Literal["squashed", "clipped"] = "squashed"
    """How a normal number becomes a `Box` action within finite bounds: by tanh, or clipped."""
    scale: Scale = "auto"
    """What is scaled to (0, 1): `auto` integers, and images of any type, with finite bounds;
    `bounds` all numbers with finite bounds; `none` nothing. `categories` embeds integers."""

    def __post_init__(self) -> None:
        if self.time_limit is not None:
            check_whole("time_limit", self.time_limit, 1)

    @classmethod
    def small(cls) -> Mapping[str, Self]:
        """An environment of Gymnasium with short episodes."""
        return {"cart pole": cls(id="CartPole-v1", kwargs={"max_episode_steps": 9})}

    def make(self, *, render_mode: str | None = None) -> gymnasium.Env:
        """Make one environment.

        Raises:
            ValueError: no environment has this id, or it does not accept these arguments.
        """
        # Gymnasium's own checker fails in the step after a reset that refused its seed.
        options = {"disable_env_checker": True, **self.kwargs}
        if render_mode:
            options["render_mode"] = render_mode
        try:
            with working_folder_kept():
                env = gymnasium.make(self.id, **options)
                for name in self.wrappers:
                    env = load_wrapper(name)(env)
                for space in ("observation_space", "action_space"):
                    getattr(env, space)  # raises if there is none
                env = env if self.time_limit is None else TimeLimit(env, self.time_limit)
                return SafelyClosed(env)
        except WrapperError:
            raise
        except Exception as error:
            raise ValueError(
                f"--env.id {self.id} cannot be made: {type(error).__name__}: {error}"
            ) from error

    def make_vector(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> VectorEnv:
        """Make a batch of environments; an error names the index of one.

        Observations that are not one array are packed, see `envs.spaces.packing`.

        Raises:
            ValueError: as `make`, or an observation space that is not supported.
        """
        masks = self._masks()
        makers = [partial(self._make_watched, i, render_mode, masks) for i in range(num_envs)]
        if self.vectorise == "async":
            return AsyncVectorEnv(makers, autoreset_mode=autoreset_mode)
        return SyncVectorEnv(makers, autoreset_mode=autoreset_mode)

    def bounded(self, max_steps: int) -> Self:
        """These settings, with a step limit if the registered environment has none."""
        env = self.make()
        env.close()
        if env.spec is None or env.spec.max_episode_steps is not None:
            return self
        return replace(self, time_limit=max_steps)

    def notes(self) -> Sequence[str]:
        """How each leaf of an observation is read, and whether actions are masked."""
        env = self._make_watched(0, None, self._masks())
        try:
            masked = [f"actions: masked by info[{ACTION_MASK!r}]"] if env.mask else []
            return [str(leaf) for leaf in env.leaves] + masked
        finally:
            env.close()

    def _masks(self) -> Masks:
        """Whether there is a mask after a reset, and whether it is used."""
        if not self.action_mask:
            return "ignored"
        env = self.make()
        try:
            with working_folder_kept():
                has_mask = is_maskable(env.action_space) and mask_in(env.reset()[1]) is not None
        except Exception:  # the environment that is used fails too, and its error is reported
            has_mask = False
        finally:
            env.close()
        return "used" if has_mask else "absent"

    def _make_watched(self, index: int, render_mode: str | None, masks: Masks) -> Watched:
        env = self.make(render_mode=render_mode)
        return Watched(env, index, self._reading(env), self.gaussian == "squashed", masks)

    def _reading(self, env: gymnasium.Env) -> Reading:
        return Reading(self.channels_first, self.scale, grid_categories=_shows_categories(env))


class WrapperError(ValueError):
    """A wrapper cannot be found."""


def load_wrapper(name: str) -> Any:
    """The wrapper `module:Class`.

    Raises:
        WrapperError: there is no such module or class; names the nearest class.
    """
    module_name, colon, class_name = name.partition(":")
    if not colon:
        raise WrapperError(
            f"--env.wrappers {name}: expected module:Class, such as "
            f"gymnasium.wrappers:FlattenObservation"
        )
    try:
        module = import_module(module_name)
    except ImportError as error:
        package = module_name.partition(".")[0]
        raise WrapperError(
            f"--env.wrappers {name}: {error}; is the package {package} installed?"
        ) from error
    wrapper: Any = getattr(module, class_name, None)
    if not callable(wrapper):
        close = get_close_matches(class_name, dir(module), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise WrapperError(f"--env.wrappers {name}: {module_name} has no {class_name}.{hint}")
    return wrapper


def _shows_categories(env: gymnasium.Env) -> bool:
    """Whether it is an environment of MiniGrid without a wrapper that draws a picture."""
    modules = (base.__module__.partition(".")[0] for base in type(env.unwrapped).__mro__)
    draws = any(type(layer).__name__.startswith("RGB") for layer in _layers(env))
    return "minigrid" in modules and not draws


def _layers(env: gymnasium.Env) -> Iterator[gymnasium.Env]:
    """The environment and all that it wraps, the outermost first."""
    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env
    yield env
