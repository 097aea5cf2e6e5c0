"""Cost of a step of all actors and of an update, as one number of the agent grows."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from agent import PLAIN, Agent, cpu_time, operations
from scaling_report import Line, anchored
from scaling_runs import Flags, batch

from agents.cli.command_line import parse
from agents.impala.config import ImpalaConfig
from agents.impala.program import IMPALA

ACTORS = (1, 10, 100, 1_000, 10_000)
UNROLLS = (5, 10, 20, 40, 80)
SLOTS = (1, 2, 4, 8, 16)
SLOT_WIDTH = 256
SIZES = {
    "lstm": ("--core.hidden", (64, 128, 256, 512, 1024)),
    "rmc": ("--core.units", (256, 512, 1024, 2048)),
}
"""For each core, the option that sets its size, and its values."""
SHORT = 4
"""Steps of an unroll with many actors; one of the default length takes half a minute."""
ENVIRONMENT_STEPS = 25
HALVES = ("acting", "learning")
MILLISECONDS, CPU_RATE = "CPU ms", "frames per CPU second"


class Cost(NamedTuple):
    """Cost of a step of all actors, or of an update."""

    frames: float
    seconds: float
    operations: float


Costs = dict[str, Cost]
"""Costs of `acting`, of `learning`, or of both."""


class Sweep(NamedTuple):
    """Agents that differ in one number."""

    axis: str
    values: Sequence[int]
    flags: Callable[[int], Flags]
    halves: Flags
    """What is measured: `acting`, `learning`."""


def environment(base: Flags) -> Line:
    """A step of the environments of all actors."""
    config = parse([*base], IMPALA).config
    measured = [1e3 * cpu_time(stepping(config, n), ENVIRONMENT_STEPS) for n in ACTORS]
    expected = anchored(ACTORS, measured)
    return Line("actors", "environment", "", MILLISECONDS, [*ACTORS], measured, expected)


def stepping(config: ImpalaConfig, actors: int) -> Callable[[], object]:
    """A function that steps `actors` environments once."""
    env = config.env.make_vector(actors)
    env.reset(seed=config.seed)
    env.action_space.seed(config.seed)
    actions = env.action_space.sample()
    return lambda: env.step(actions)


def parts(base: Flags, core: str, calls: int) -> Iterator[Line]:
    """Acting and learning of one core along each of its axes."""
    for axis, values, flags, halves in sweeps(core):
        print(f"{core}: {axis} {', '.join(map(str, values))}", flush=True)
        found = [costs((*base, *flags(value)), halves, calls) for value in values]
        for half in halves:
            measured = [1e3 * at[half].seconds for at in found]
            expected = anchored([at[half].operations for at in found], measured)
            yield Line(axis, half, core, MILLISECONDS, [*values], measured, expected)
        if axis == "units":
            measured = [1 / per_frame(at, "seconds") for at in found]
            expected = anchored([1 / per_frame(at, "operations") for at in found], measured)
            yield Line(axis, "both", core, CPU_RATE, [*values], measured, expected)


def sweeps(core: str) -> Iterator[Sweep]:
    """The axes of one core."""
    option, sizes = SIZES[core]
    yield Sweep("actors", ACTORS, many_actors, HALVES[:1])
    yield Sweep("unroll", UNROLLS, lambda n: ("--unroll", f"{n}", "--actors", "32"), HALVES[1:])
    yield Sweep("units", sizes, lambda n: (option, f"{n}"), HALVES)
    if core == "rmc":
        yield Sweep("slots", SLOTS, slots_of_one_width, HALVES)


def many_actors(actors: int) -> Flags:
    """Flags of a short unroll with `actors` actors."""
    return ("--actors", f"{actors}", "--batch", f"{batch(actors)}", "--unroll", f"{SHORT}")


def slots_of_one_width(slots: int) -> Flags:
    """Flags of a relational memory with `slots` slots."""
    return ("--core.slots", f"{slots}", "--core.units", f"{SLOT_WIDTH * slots}")


def costs(flags: Flags, halves: Flags, calls: int) -> Costs:
    """Costs of the given halves of an agent's work."""
    agent, plain = Agent(flags), Agent((*flags, *PLAIN), unrolls=1)
    steps, found = agent.config.unroll, {}
    if "acting" in halves:
        seconds, counted = cpu_time(agent.act, calls), operations(plain.act)
        found["acting"] = Cost(agent.config.actors, seconds / steps, counted / steps)
    if "learning" in halves:
        seconds, counted = cpu_time(agent.learn, calls), operations(plain.learn)
        found["learning"] = Cost(agent.learnt, seconds, counted)
    return found


def per_frame(of: Costs, what: str) -> float:
    """Seconds or operations of both halves per frame."""
    return sum(getattr(cost, what) / cost.frames for cost in of.values())


def cpu_rate(flags: Flags, calls: int) -> float:
    """Frames per second of acting and learning on one CPU without other work."""
    return 1 / per_frame(costs(flags, HALVES, calls), "seconds")
