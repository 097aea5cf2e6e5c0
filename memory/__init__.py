"""Recurrent memory cores: sequence models behind one contract."""

from memory.openmp import set_wait_policy

set_wait_policy()  # before PyTorch is loaded

from memory.core import Core, CoreConfig, DecidingCore, TaughtCore, map_state, select, state_leaves
from memory.cores.buffered.input_buffer import InputBufferState
from memory.cores.buffered.relation_network import RelationNetwork, RelationNetworkConfig
from memory.cores.buffered.working_memory import WorkingMemory, WorkingMemoryConfig
from memory.cores.convlstm import ConvLSTM, ConvLSTMConfig, ConvLSTMState
from memory.cores.dnc.dnc import DNC, DNCConfig, DNCState
from memory.cores.entnet import EntNet, EntNetConfig
from memory.cores.gru import GRU, GRUConfig
from memory.cores.gtrxl import GTrXL, GTrXLConfig, GTrXLState
from memory.cores.hmem import HMem, HMemConfig
from memory.cores.lru import LRU, LRUConfig
from memory.cores.lstm import LSTM, LSTMConfig, LSTMState, StackedLSTM
from memory.cores.lstm_bank import LSTMBank, LSTMBankConfig
from memory.cores.memory_net.deciding import DecidingMemoryNet
from memory.cores.memory_net.memory_net import MemoryNet, MemoryNetConfig
from memory.cores.memory_net.taught import TaughtMemoryNet
from memory.cores.min_gru import MinGRU, MinGRUConfig
from memory.cores.none import NoMemory, NoMemoryConfig
from memory.cores.rmc import RMC, RMCConfig

CORES: dict[str, type[CoreConfig]] = {
    "convlstm": ConvLSTMConfig,
    "dnc": DNCConfig,
    "entnet": EntNetConfig,
    "gru": GRUConfig,
    "gtrxl": GTrXLConfig,
    "hmem": HMemConfig,
    "lstm": LSTMConfig,
    "lstm_bank": LSTMBankConfig,
    "lru": LRUConfig,
    "memory_net": MemoryNetConfig,
    "min_gru": MinGRUConfig,
    "none": NoMemoryConfig,
    "relation_network": RelationNetworkConfig,
    "rmc": RMCConfig,
    "working_memory": WorkingMemoryConfig,
}
"""The configuration of every core, by name."""

__all__ = [
    "CORES",
    "DNC",
    "GRU",
    "LRU",
    "LSTM",
    "RMC",
    "ConvLSTM",
    "ConvLSTMConfig",
    "ConvLSTMState",
    "Core",
    "CoreConfig",
    "DNCConfig",
    "DNCState",
    "DecidingCore",
    "DecidingMemoryNet",
    "EntNet",
    "EntNetConfig",
    "GRUConfig",
    "GTrXL",
    "GTrXLConfig",
    "GTrXLState",
    "HMem",
    "HMemConfig",
    "InputBufferState",
    "LRUConfig",
    "LSTMBank",
    "LSTMBankConfig",
    "LSTMConfig",
    "LSTMState",
    "MemoryNet",
    "MemoryNetConfig",
    "MinGRU",
    "MinGRUConfig",
    "NoMemory",
    "NoMemoryConfig",
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
