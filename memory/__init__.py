"""Recurrent memory cores: sequence models behind one contract."""

from memory.convlstm import ConvLSTM, ConvLSTMConfig, ConvLSTMState
from memory.core import Core, DecidingCore, TaughtCore, map_state, select, state_leaves
from memory.deciding_memory_net import DecidingMemoryNet
from memory.dnc import DNC, DNCConfig, DNCState
from memory.entnet import EntNet, EntNetConfig
from memory.gru import GRU, GRUConfig
from memory.hmem import HMem, HMemConfig
from memory.input_buffer import InputBufferState
from memory.lstm import LSTM, LSTMConfig, LSTMState, StackedLSTM
from memory.lstm_bank import LSTMBank, LSTMBankConfig
from memory.memory_net import MemoryNet, MemoryNetConfig
from memory.min_gru import MinGRU, MinGRUConfig
from memory.relation_network import RelationNetwork, RelationNetworkConfig
from memory.rmc import RMC, RMCConfig
from memory.taught_memory_net import TaughtMemoryNet
from memory.working_memory import WorkingMemory, WorkingMemoryConfig

CORES = {
    "convlstm": ConvLSTMConfig,
    "dnc": DNCConfig,
    "entnet": EntNetConfig,
    "gru": GRUConfig,
    "hmem": HMemConfig,
    "lstm": LSTMConfig,
    "lstm_bank": LSTMBankConfig,
    "memory_net": MemoryNetConfig,
    "min_gru": MinGRUConfig,
    "relation_network": RelationNetworkConfig,
    "rmc": RMCConfig,
    "working_memory": WorkingMemoryConfig,
}
"""The configuration of every core, by name."""

__all__ = [
    "CORES",
    "DNC",
    "GRU",
    "LSTM",
    "RMC",
    "ConvLSTM",
    "ConvLSTMConfig",
    "ConvLSTMState",
    "Core",
    "DNCConfig",
    "DNCState",
    "DecidingCore",
    "DecidingMemoryNet",
    "EntNet",
    "EntNetConfig",
    "GRUConfig",
    "HMem",
    "HMemConfig",
    "InputBufferState",
    "LSTMBank",
    "LSTMBankConfig",
    "LSTMConfig",
    "LSTMState",
    "MemoryNet",
    "MemoryNetConfig",
    "MinGRU",
    "MinGRUConfig",
    "RMCConfig",
    "RelationNetwork",
    "RelationNetworkConfig",
    "StackedLSTM",
    "TaughtCore",
    "TaughtMemoryNet",
    "WorkingMemory",
    "WorkingMemoryConfig",
    "map_state",
    "select",
    "state_leaves",
]
