"""The compared systems: how each is installed and started, and how its LSTM and loss work.

The semantics are those of the installed source; `docs/results/peers.md` has the places.
"""

import hashlib
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
DRIVERS = Path(__file__).resolve().parent
TORCH = importlib.metadata.version("torch").split("+")[0]
OURS = (f"torch=={TORCH}", "numba", "jaxtyping")
"""Requirements of Engram's environments and torso besides Gymnasium and NumPy."""
REPORTED = ("sample-factory", "ray", "pufferlib", "torch", "numpy", "gymnasium")
INSTALL_LIMIT = 1800.0
"""Time limit of one step of an installation, seconds."""


class NotInstalled(RuntimeError):
    """A peer cannot be installed; the message gives the reason."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Software with its own virtual environment.

    Args:
        pip: arguments of successive calls of `pip install`.
        builds_without: names that its set-up script does not define when built without its own
            games (they would need a graphics library); defined for it during the build.
    """

    driver: str
    pip: tuple[tuple[str, ...], ...]
    builds_without: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class System:
    """One row of the table."""

    title: str
    peer: str | None = None
    """Name in `PEERS`; None is Engram."""
    flags: tuple[str, ...] = ()
    """More flags of `scripts/impala.py`."""
    threads: int = 1
    """CPU threads of each process of a peer."""
    games: int = 32
    """Number of games that a peer steps at once."""
    semantics: str = ""


PEERS = {
    "sample_factory": Peer(
        driver="run_sample_factory.py",
        # It requires an older Gymnasium than the environments, but works with the newer one.
        pip=(("sample-factory==2.1.1", *OURS), ("gymnasium>=1.1", "numpy<2")),
    ),
    "rllib": Peer(driver="run_rllib.py", pip=(("ray[rllib]==2.60.0", *OURS),)),
    "pufferlib": Peer(
        driver="run_pufferlib.py",
        pip=(
            ("setuptools", "wheel", "numpy", *OURS),
            ("--no-build-isolation", "--no-deps", "pufferlib==3.0.0"),
            ("gymnasium>=1.1", "gym==0.23.1", "psutil", "rich", "rich_argparse", "pyro-ppl"),
        ),
        builds_without=("c_extension_paths",),
    ),
    "cleanrl": Peer(driver="run_cleanrl.py", pip=(("gymnasium>=1.1", "numpy", *OURS),)),
}

SYSTEMS = {
    "engram": System(
        title="Engram IMPALA, 100 actors",
        semantics="stored state; resets inside the unroll; V-trace",
    ),
    "engram-local": System(
        title="Engram IMPALA, 100 actors, `--workers 0`",
        flags=("--workers", "0"),
        semantics="the same, without lag",
    ),
    "engram-local-1": System(
        title="Engram IMPALA, 100 actors, `--workers 0 --learner-threads 1`",
        flags=("--workers", "0", "--learner-threads", "1"),
        semantics="the same, without lag",
    ),
    "sample-factory": System(
        title="Sample Factory 2.1.1 APPO, V-trace, 2 workers x 16 games",
        peer="sample_factory",
        semantics="stored state; resets inside the unroll; V-trace, but the value after the unroll "
        "is guessed from the last step; truncation counts as an end; PPO's clipped loss",
    ),
    "sample-factory-64": System(
        title="Sample Factory 2.1.1 APPO, V-trace, 2 workers x 32 games",
        peer="sample_factory",
        games=64,
        semantics="the same",
    ),
    "rllib": System(
        title="RLlib 2.60.0 IMPALA, 2 runners x 16 games",
        peer="rllib",
        semantics="stored state; an episode is a sequence of its own, padded; V-trace",
    ),
    "pufferlib": System(
        title="PufferLib 3.0.0 PPO, serial, 32 games",
        peer="pufferlib",
        semantics="**state zeroed at each unroll, carried across ends of episodes**, in acting and "
        "learning; truncation ignored; rewards clipped to [-1, 1]; a step lost at each reset",
    ),
    "pufferlib-96": System(
        title="PufferLib 3.0.0 PPO, serial, 96 games",
        peer="pufferlib",
        games=96,
        semantics="the same; three updates a rollout",
    ),
    "pufferlib-2": System(
        title="PufferLib 3.0.0 PPO, serial, 32 games, 2 threads",
        peer="pufferlib",
        threads=2,
        semantics="the same",
    ),
    "cleanrl": System(
        title="CleanRL's PPO-LSTM loop, 32 games, one epoch of one minibatch",
        peer="cleanrl",
        semantics="stored state; resets inside the unroll, step by step; on-policy, no V-trace; "
        "truncation counts as an end",
    ),
}

NOT_TRIED = {
    "TorchBeast": "not on the package index; its monobeast is a program to be copied, and no port "
    "of it was written",
}


def interpreter(peer: str, folder: Path) -> Path:
    """Python of a peer's virtual environment."""
    return folder / peer / "bin/python"


def install(name: str, folder: Path) -> None:
    """Make a peer's virtual environment, unless it exists.

    Raises:
        NotInstalled: a step failed; the message names the step and its log.
    """
    peer, place = PEERS[name], folder / name
    recipe = hashlib.sha256(repr(peer.pip).encode()).hexdigest()
    ready, log = place / "ready", folder / f"{name}.log"
    if ready.exists() and ready.read_text() == recipe:
        return
    folder.mkdir(parents=True, exist_ok=True)
    python = str(interpreter(name, folder))
    environment = os.environ | _build_environment(peer, folder)
    steps = [[sys.executable, "-m", "venv", "--clear", str(place)]]
    steps += [[python, "-m", "pip", "install", *words] for words in peer.pip]
    with log.open("w") as output:
        for step in steps:
            print("installing:", " ".join(step), flush=True)
            _run(step, environment, output, log)
    ready.write_text(recipe)


def _run(step: list[str], environment: dict[str, str], output, log: Path) -> None:
    what = " ".join(step[1:])
    try:
        subprocess.run(
            step, env=environment, stdout=output, stderr=output, check=True, timeout=INSTALL_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"`{what}` took more than {INSTALL_LIMIT:.0f} s") from None
    except subprocess.CalledProcessError as error:
        said = [line for line in log.read_text().splitlines() if "rror" in line]
        why = f": {said[-1].strip()}" if said else ""
        raise NotInstalled(f"`{what}` failed with status {error.returncode}{why}") from None


def _build_environment(peer: Peer, folder: Path) -> dict[str, str]:
    if not peer.builds_without:
        return {}
    shim = folder / "shim"
    shim.mkdir(exist_ok=True)
    names = "".join(f"builtins.{name} = []\n" for name in peer.builds_without)
    (shim / "sitecustomize.py").write_text(f"import builtins\n{names}")
    # A path without a CUDA compiler, which the build would otherwise use.
    return {"NO_OCEAN": "1", "PYTHONPATH": str(shim), "PATH": "/usr/bin:/bin"}


def versions(name: str, folder: Path) -> str:
    """Versions of the reported packages in the environment of a system."""
    peer = SYSTEMS[name].peer
    path = sys.path
    if peer is not None:
        path = [str(place) for place in (folder / peer).glob("lib/python*/site-packages")]
    found = {}
    for distribution in importlib.metadata.distributions(path=path):
        found.setdefault(distribution.name.lower().replace("_", "-"), distribution.version)
    return "; ".join(f"{package} {found[package]}" for package in REPORTED if package in found)


def command(name: str, env: str, progress: Path, work: Path, venvs: Path) -> list[str]:
    """Command that starts a system; a peer writes `progress`, Engram its folder."""
    system = SYSTEMS[name]
    if system.peer is None:
        program = [sys.executable, str(ROOT / "scripts/impala.py")]
        asked = ["--env", env, "--core", "lstm", "--actors", "100", *system.flags]
        return [*program, *asked, "--run-dir", str(progress.parent), "--log-seconds", "1"]
    program = [str(interpreter(system.peer, venvs)), str(DRIVERS / PEERS[system.peer].driver)]
    sizes = ["--threads", str(system.threads), "--games", str(system.games)]
    return [*program, "--env", env, "--progress", str(progress), "--folder", str(work), *sizes]


def environment(name: str) -> dict[str, str]:
    """Environment variables of a system. Threads are set for peers only; Engram sets its own."""
    system = SYSTEMS[name]
    if system.peer is None:
        return dict(os.environ)
    return os.environ | {"OMP_NUM_THREADS": str(system.threads), "OMP_WAIT_POLICY": "PASSIVE"}
