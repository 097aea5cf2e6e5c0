"""Accuracy against delay: `python scripts/bench/delays.py RUN [RUN ...] --out FIGURE.png`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from memory.supervised.delays import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
