"""The short help of `scripts/impala.py`: one screen, the main options first."""

import shutil
import textwrap
from typing import Any, get_args, get_origin

from agents.options import Option, options_of
from agents.presets import preset_names
from envs import ENVS
from memory import CORES

_MAIN = ("actors", "workers", "frames", "seed", "device")
_LEARNING = (
    "batch",
    "unroll",
    "optimizer.learning_rate",
    "loss.discount",
    "loss.entropy_cost",
    "loss.reward_scale",
)
_OUTPUT = ("run_dir", "overwrite", "checkpoint_minutes", "video_minutes")

_WORDS = {"video_minutes": "--video-every MINUTES"}
_LEFT = 32  # columns of the flag


def short_help(config: Any, env: str | None, core: str | None) -> str:
    """Help that shows the values of a configuration; the options of `env` and `core` if named."""
    options = options_of(config)
    lines = [
        "usage: python scripts/impala.py [--env NAME] [--core NAME] [--config PRESET] [OPTIONS]",
        "",
        "Train a recurrent agent with the IMPALA actor-learner. [The value in use] ends each line.",
        "",
        *_row("--env NAME", f"Environment: {', '.join(ENVS)} [{env or 'boxworld'}]"),
        *_row("--core NAME", f"Recurrent core: {', '.join(CORES)} [{core or 'rmc'}]"),
        *_row("--config PRESET", f"A YAML file, or one of: {', '.join(preset_names())}"),
        *_row("--resume RUN", "Go on with the run in a folder"),
        *_rows(options, _MAIN),
    ]
    for section, name in (("env", env), ("core", core)):
        if name is not None:
            keys = [key for key in options if key.startswith(f"{section}.")]
            lines += ["", f"Options of {section} {name}", *_rows(options, keys)]
    if env is None and core is None:
        lines += [
            "",
            "Learning",
            *_rows(options, _LEARNING),
            "",
            "Output",
            *_rows(options, _OUTPUT),
        ]
    lines += ["", *_row("--core NAME --help", "The options of a core; --env NAME --help alike")]
    return "\n".join([*lines, *_row("--help-all", "Every option")])


def _rows(options: dict[str, Option], keys: Any) -> list[str]:
    return [line for key in keys for line in _row(_left(options[key]), _right(options[key]))]


def _left(option: Option) -> str:
    return _WORDS.get(option.key) or f"{option.flag} {_kind(option.kind)}".rstrip()


def _right(option: Option) -> str:
    value = option.default
    shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{option.description} [{shown}]".lstrip()


def _kind(kind: Any) -> str:
    """A type as the command line takes it: `INT`, `INT|auto`, `INT ...`."""
    if kind is bool or kind is type(None):
        return ""
    if get_origin(kind) is tuple:
        return f"{_kind(get_args(kind)[0])} ..."
    if isinstance(kind, str):
        return kind
    if get_args(kind):
        return "|".join(word for part in get_args(kind) if (word := _kind(part)))
    return getattr(kind, "__name__", str(kind)).upper()


def _row(left: str, right: str) -> list[str]:
    width = max(60, min(100, shutil.get_terminal_size((100, 24)).columns))
    wrapped = textwrap.wrap(right, width - _LEFT)
    if len(left) > _LEFT - 4:
        wrapped.insert(0, "")
    first, *rest = wrapped or [""]
    return [f"  {left:<{_LEFT - 2}}{first}".rstrip(), *(" " * _LEFT + line for line in rest)]
