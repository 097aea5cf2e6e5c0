"""Recurrent agents: train them, measure them, and use them in programs of one's own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.api.agent import TrainedAgent, load_agent
    from agents.api.model import TrainedModel, load_model
    from agents.api.training import impala_config, supervised_config, train

__all__ = [
    "TrainedAgent",
    "TrainedModel",
    "impala_config",
    "load_agent",
    "load_model",
    "supervised_config",
    "train",
]
_MODULES = {
    "TrainedAgent": "agent",
    "TrainedModel": "model",
    "impala_config": "training",
    "load_agent": "agent",
    "load_model": "model",
    "supervised_config": "training",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Importing them above would load PyTorch before a program has set the options of its process.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'agents' has no attribute {name!r}")
    import_module("memory")  # before PyTorch: it sets the wait policy of OpenMP's threads
    return getattr(import_module(f"agents.api.{_MODULES[name]}"), name)
