"""Recurrent memory cores: sequence models behind one contract."""

from memory.convlstm import ConvLSTM, ConvLSTMConfig, ConvLSTMState
from memory.core import Core, DecidingCore, map_state, select, state_leaves
from memory.lstm import LSTM, LSTMConfig, LSTMState
from memory.memory_net import DecidingMemoryNet, MemoryNet, MemoryNetConfig
from memory.rmc import RMC, RMCConfig

CORES = {
    "convlstm": ConvLSTMConfig,
    "lstm": LSTMConfig,
    "memory_net": MemoryNetConfig,
    "rmc": RMCConfig,
}
"""The configuration of every core, by name."""

__all__ = [
    "CORES",
    "LSTM",
    "RMC",
    "ConvLSTM",
    "ConvLSTMConfig",
    "ConvLSTMState",
    "Core",
    "DecidingCore",
    "DecidingMemoryNet",
    "LSTMConfig",
    "LSTMState",
    "MemoryNet",
    "MemoryNetConfig",
    "RMCConfig",
    "map_state",
    "select",
    "state_leaves",
]
