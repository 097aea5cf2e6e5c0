"""Every core on a small memory battery: `python scripts/bench/probe.py --out TABLE.csv`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from memory.supervised.probe import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
