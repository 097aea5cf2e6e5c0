"""The memory net of MANN-RL and its ways of learning what to write."""
