"""Draw the pictures of the pages of cores, environments and tasks: `make pictures`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from envs import ENVS
from memory import CORES
from memory.core import CoreConfig, state_leaves
from memory.inspect import inspect
from memory.supervised import TASKS

PICTURES = Path(__file__).parent / "pictures"
SHAPES = {"vector": (6,), "rows": (3, 6), "map": (3, 5, 5)}
"""Shape of one random input for each kind of core."""
STEPS, MOST_PANELS, MOST_ROWS = 24, 4, 48


def draw_core(config: type[CoreConfig], file: Path) -> None:
    """Draw what a new core of width 16 observes and holds, over random inputs."""
    torch.manual_seed(0)
    core_config = config.small()[""]
    shape = SHAPES[core_config.input_kind]
    core = core_config.build(shape).eval()
    inputs = torch.randn(STEPS, 1, *shape)
    seen = inspect(core, inputs, core.initial_state(1))
    values = {name.replace("_", " "): rows(leaf) for name, leaf in parts(seen).items()}
    _figure({"input": rows(inputs), **dict([*values.items()][:MOST_PANELS])}, file)


def parts(seen: Any) -> dict[str, Tensor]:
    """What a core observes, then its state, without what is empty."""
    return {name: leaf for name, leaf in {**seen.observed, **seen.states}.items() if leaf.numel()}


def rows(values: Tensor) -> np.ndarray:
    """Numbers of the first sequence over time, `[rows, T]`."""
    return values[:, 0].float().reshape(len(values), -1).numpy().T[:MOST_ROWS]


def draw_task(config: Any, file: Path) -> None:
    """Draw one training sequence: what is shown, and what has to be answered where it is scored."""
    batch = config.small()[""].build(seed=0).batch(0, 1)
    inputs = {name: leaf for name, leaf in leaves(batch.inputs).items() if leaf.shape[0] > 1}
    answer = torch.where(batch.loss_mask, batch.targets, -1)
    panels = {name: rows(leaf) for name, leaf in inputs.items()}
    _figure({**panels, "answer (class)": np.where(rows(answer) < 0, np.nan, rows(answer))}, file)


def leaves(inputs: Any) -> dict[str, Tensor]:
    """The tensors of a batch by name."""
    if isinstance(inputs, Tensor):
        return {"input": inputs}
    names = getattr(inputs, "_fields", range(len(state_leaves(inputs))))
    return {str(name): leaf for name, leaf in zip(names, state_leaves(inputs), strict=False)}


def draw_env(config: Any, file: Path) -> None:
    """Draw the level of seed 0."""
    env = config.make(render_mode="rgb_array")
    env.reset(seed=0)
    picture = Image.fromarray(np.asarray(env.render(), dtype=np.uint8))
    env.close()
    scale = max(1, 280 // max(picture.size))
    picture = picture.resize(
        (picture.width * scale, picture.height * scale), Image.Resampling.NEAREST
    )
    picture.thumbnail((420, 420))
    picture.quantize(64).save(file, optimize=True)


def _figure(panels: Mapping[str, np.ndarray], file: Path) -> None:
    """Draw a row of pixels for each number, steps from left to right."""
    heights = [min(1.4, max(0.3, 0.12 * len(panel))) for panel in panels.values()]
    figure = Figure((6, 0.5 + sum(heights) + 0.35 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (name, values) in zip(axes, panels.items(), strict=True):
        axis.imshow(values, aspect="auto", interpolation="nearest", cmap="viridis")
        axis.set_title(name, fontsize=9, loc="left")
        axis.set_yticks([])
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_facecolor("lightgrey")
        axis.tick_params(labelsize=8, labelbottom=axis is axes[-1])
        are_classes = bool(np.all(np.isnan(values) | (values == np.round(values))))
        if len(values) == 1 and values.shape[1] <= STEPS and are_classes:
            _write_numbers(axis, values[0])
    axes[-1].set_xlabel("step", fontsize=9)
    figure.savefig(file, dpi=100)
    Image.open(file).convert("RGB").quantize(64).save(file, optimize=True)


def _write_numbers(axis: Any, values: np.ndarray) -> None:
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for step, value in enumerate(values):
        if np.isfinite(value):
            colour = "black" if value > middle else "white"
            axis.text(step, 0, f"{value:.0f}", ha="center", va="center", size=7, color=colour)


def main(chosen: list[str]) -> None:
    """Draw all pictures, or those whose names are given as `cores/rmc`."""
    kinds: dict[str, tuple[Mapping[str, Any], Callable[[Any, Path], None]]] = {
        "cores": (CORES, draw_core),
        "environments": (
            {name: env for name, env in ENVS.items() if name != "gymnasium"},
            draw_env,
        ),
        "tasks": (TASKS, draw_task),
    }
    for kind, (registry, draw) in kinds.items():
        (PICTURES / kind).mkdir(parents=True, exist_ok=True)
        for name, config in registry.items():
            if chosen and f"{kind}/{name}" not in chosen:
                continue
            try:
                draw(config, PICTURES / kind / f"{name}.png")
            except ValueError as error:  # data that is not there
                print(f"{kind}/{name}: left as it is: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
