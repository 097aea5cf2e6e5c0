"""`python -m agents train ...` is the command `engram train ...`."""

import sys

from agents.programs.engram import main

if __name__ == "__main__":
    sys.exit(main())
