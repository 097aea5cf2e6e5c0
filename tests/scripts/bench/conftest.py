"""The scripts import one another by name, as Python does for a script's own folder."""

import sys
from pathlib import Path

# Behind the repository, as the scripts themselves have it: one of them is called `envs`, too.
BENCH = Path(__file__).parents[3] / "scripts/bench"
for folder in (BENCH, *(BENCH / name for name in ("gpu", "mann_rl", "peers", "scaling"))):
    sys.path.append(str(folder))
