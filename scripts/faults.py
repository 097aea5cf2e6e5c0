"""Cause faults: `python scripts/faults.py all --out results`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agents.runs.process import prepare, run

prepare()

from agents.programs.faults import main

if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
