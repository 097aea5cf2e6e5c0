"""What is made of weights before compiled code can use them, kept while they do not change."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import nn

Made = TypeVar("Made")


class Held:
    """What was made of a module's weights since `begin`, by name."""

    def __init__(self) -> None:
        self._made: dict[str, Any] | None = None

    @property
    def open(self) -> bool:
        """Whether the weights are held now."""
        return self._made is not None

    def begin(self) -> None:
        """Keep what is made from now on."""
        self._made = {}

    def end(self) -> None:
        """Forget it."""
        self._made = None

    def keep(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives; what it gave, where it is kept."""
        if self._made is None:
            return make()
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def __reduce__(self) -> tuple[type["Held"], tuple[()]]:
        return Held, ()  # a copy has its own weights, which are not held


@contextmanager
def weights_held(module: nn.Module) -> Generator[None, None, None]:
    """Inside, the weights of this module do not change: what is made of them is made once.

    For many short calls, such as the steps of an unroll. Outside, it is made again in each call.
    """
    parts = [held for part in module.modules() if isinstance(held := vars(part).get("held"), Held)]
    for held in parts:
        held.begin()
    try:
        yield
    finally:
        for held in parts:
            held.end()
