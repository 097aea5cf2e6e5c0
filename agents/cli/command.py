"""What small commands share: choosing an environment, and plain words for what went wrong."""

import argparse
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium

from agents.cli.exit_status import BAD_INPUT, INTERRUPTED, fail
from agents.cli.options import nearest, options_of
from agents.cli.settings import apply, read_flags
from envs import ENVS
from envs.fault import EnvironmentFault


class CommandError(RuntimeError):
    """A command cannot do what it is asked; the message says why and what to do."""


_EXPECTED = (CommandError, EnvironmentFault, gymnasium.error.Error, ImportError, ValueError)


@contextmanager
def plain_errors(program: str, *expected: type[Exception]) -> Generator[None, None, None]:
    """Say what went wrong in one line and leave with exit status 2; Ctrl-C leaves without a word.

    Args:
        expected: errors with messages for users, beside those that any command may meet.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except (*_EXPECTED, *expected) as error:
        raise SystemExit(fail(program, error, BAD_INPUT)) from None


def add_env(parser: argparse.ArgumentParser) -> None:
    """The option `--env`; its own options are left for `choose_env`."""
    parser.add_argument("--env", default="boxworld", help=f"one of {', '.join(ENVS)}")
    parser.epilog = "Options of the environment are given as for training: --env.view-size 7."


@dataclass(frozen=True)
class _Chosen:
    env: Any


def choose_env(name: str, flags: list[str]) -> Any:
    """The environment of a name, changed by flags such as `--env.view-size 7`.

    Raises:
        CommandError: there is none of that name.
        OptionError: a flag does not exist, or its value is refused.
    """
    if name not in ENVS:
        raise CommandError(f"--env {name}: no such environment. {nearest(name, ENVS)}")
    chosen = _Chosen(ENVS[name])
    return apply(chosen, read_flags(flags, options_of(chosen), {"env": name})).env


def at_least(low: int):
    """Reads whole numbers from `low` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {low} on")
        return int(text)

    return read
