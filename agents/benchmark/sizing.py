"""Cores of equal size: the widest configuration of each that keeps to a number of parameters."""

from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, cast

import torch
from torch import nn

from agents.cli.command import CommandError
from agents.cli.command_line import parse
from agents.cli.program import Program
from agents.impala.build import build_policy
from agents.impala.program import IMPALA
from memory import CORES, CoreConfig
from memory.supervised.reader import InputAdapter


def sized_options(program: Program, flags: tuple[str, ...], parameters: int) -> dict[str, Any]:
    """The options of the core of a run that make it as wide as a number of parameters allows.

    Options of the core that the run sets itself are kept.

    Args:
        flags: of the run.
        parameters: that the core may have at most; the layer that lays inputs out for a core of
            maps counts as part of it.

    Raises:
        CommandError: even the narrowest core has more.
    """
    config, names, _, _ = parse(list(flags), program)
    given = {
        field.name: getattr(config.core, field.name)
        for field in fields(config.core)
        if any(flag.startswith(f"--core.{field.name.replace('_', '-')}") for flag in flags)
    }
    shape = _input_shape(program, config)
    width = _widest(names.core, given, shape, parameters)
    if width == 0:
        least = _size(_config(names.core, given, 1), shape)
        raise CommandError(
            f"`parameters: {parameters}`: the core {names.core} has at least {least}."
        )
    sized = _config(names.core, given, width)
    return {  # in place of what a preset of the core says
        f"core.{field.name}": getattr(sized, field.name)
        for field in fields(sized)
        if getattr(sized, field.name) != getattr(config.core, field.name)
    }


def _config(core: str, given: dict[str, Any], width: int) -> Any:
    return replace(cast("Any", CORES[core].of_width(width)), **given)


def _widest(core: str, given: dict[str, Any], shape: tuple[int, ...], parameters: int) -> int:
    """The largest width that fits, by bisection; 0 if none does."""
    low, high = 0, 1
    while _size(_config(core, given, high), shape) <= parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        fits = _size(_config(core, given, middle), shape) <= parameters
        low, high = (middle, high) if fits else (low, middle)
    return low


def _size(config: CoreConfig, shape: tuple[int, ...]) -> int:
    with torch.device("meta"):
        adapter = InputAdapter(shape, config.input_kind)
        return _count(config.build(adapter.output_shape)) + _count(adapter)


def _count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


def _input_shape(program: Program, config: Any) -> tuple[int, ...]:
    """Of one step, as the core of a run gets it."""
    if program is IMPALA:
        return build_policy(config).encoder.output_shape
    return _task_shape(config.task)


@lru_cache(maxsize=1)  # a plan asks for all cores of a task in a row; bAbI takes 10 s to read
def _task_shape(task: Any) -> tuple[int, ...]:
    return task.build(0).encoder().output_shape
