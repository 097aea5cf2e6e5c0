"""Small configurations of every core, in every mode, and inputs of the kind that each takes."""

from memory import CORES
from memory.core import CoreConfig

SMALL_CORES: dict[str, CoreConfig] = {
    f"{name}, {mode}" if mode else name: config
    for name, core in CORES.items()
    for mode, config in core.small().items()
}
INPUT_SHAPES = {"vector": (5,), "rows": (4, 5), "map": (2, 4, 3)}
