"""Shared parts of small commands: choice of an environment, and error messages."""

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
    """A command cannot run; the message says why and what to do."""


_EXPECTED = (CommandError, EnvironmentFault, gymnasium.error.Error, ImportError, ValueError)


@contextmanager
def plain_errors(program: str, *expected: type[Exception]) -> Generator[None, None, None]:
    """Print expected errors in one line and exit with status 2; Ctrl-C exits without a message.

    Args:
        expected: further errors with messages for users.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # an OSError, but of a reader that has gone, as after `| head`
        raise
    except (*_EXPECTED, *expected) as error:
        raise SystemExit(fail(program, error, BAD_INPUT)) from None


def add_env(parser: argparse.ArgumentParser) -> None:
    """Add the option `--env`; `choose_env` reads the environment's options."""
    parser.add_argument("--env", default="boxworld", help=f"one of {', '.join(ENVS)}")
    parser.epilog = "Options of the environment are those of training: --env.view-size 7."


@dataclass(frozen=True)
class _Chosen:
    env: Any


def choose_env(name: str, flags: list[str]) -> Any:
    """The environment of a name, with flags such as `--env.view-size 7`.

    Raises:
        CommandError: there is no such environment.
        OptionError: a flag does not exist, or its value is not valid.
    """
    if name not in ENVS:
        raise CommandError(f"--env {name}: no such environment. {nearest(name, ENVS)}")
    chosen = _Chosen(ENVS[name])
    return apply(chosen, read_flags(flags, options_of(chosen), {"env": name})).env


def at_least(low: int):
    """Return a parser of integers of at least `low`."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text} is not an integer of at least {low}")
        return int(text)

    return read
