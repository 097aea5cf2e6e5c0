"""What teaches MANN-RL's memory: `python scripts/bench/mann_rl.py --seeds 3`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from memory.supervised.mann_rl_ablation import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
