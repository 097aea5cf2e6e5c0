"""The model card of a trained agent, written from the files of its folder."""

import json
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

CARD = "README.md"


def model_card(folder: Path, name: str) -> str:
    """The card as Markdown; depends on the files of the folder alone."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    versions = json.loads((folder / "versions.json").read_text())
    results = json.loads((folder / "results.json").read_text())
    (weights,) = folder.glob("checkpoints/*/weights.safetensors")
    manifest = json.loads(weights.with_name("manifest.json").read_text())
    digest = manifest["content"]["files"][weights.name]["sha256"]
    rows = {
        "environment": f"`{config['env']['name']}`",
        "core": f"`{config['core']['name']}`",
        **_scores(results["test"]),
        "frames": f"{results['frames']:,}",
        "time": f"{results['seconds'] / 60:.0f} min, {results['cpu_seconds'] / 60:.0f} CPU min",
        "machine": _machine(versions),
        "commit": _commit(versions),
        "parameters": f"{results['parameters']:,}, {_dtype(weights)}, {_size(weights)}",
        "SHA-256 of the weights": f"`{digest}`",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return f"""# {name}

An agent trained with IMPALA by Engram. `engram zoo add` wrote this page from the files beside it.

| | |
|---|---|
{table}

Scores are means with 95 % intervals over {results["test"]["levels"]:,} levels that training never
uses (seed {results["seed"]}), with sampled actions. `results.json` has them by kind of level, and
`curve.csv` the learning curve. All settings are in `config.yaml`.

Trained by:

```sh
{_commands(versions["command"], config["frames"])}
```

Evaluate it, watch it, and train a new run from its weights:

```sh
python scripts/evaluate.py {name} --seed {results["seed"]} --episodes {results["test"]["levels"]}
python scripts/record.py {name} --out {name}.mp4
python scripts/impala.py --config agents/zoo/{name}/config.yaml --resume-weights {name}
```
"""


def _scores(test: dict[str, Any]) -> dict[str, str]:
    low, high = test["return_interval"]
    rows = {"return": f"{test['return']:.2f} [{low:.2f}, {high:.2f}]"}
    if "solved" in test:
        low, high = test["solved_interval"]
        rows["solved"] = f"{test['solved']:.1%} [{low:.1%}, {high:.1%}]"
    return rows | {"mean length": f"{test['length']:.1f} steps"}


def _commands(command: list[str], frames: int) -> str:
    """The command of the run, and how it was resumed if it has more frames than that says."""
    lines = [" ".join(command)]
    if "--frames" in command and f"--frames {frames}" not in lines[0]:
        lines.append(f"python scripts/impala.py --resume RUN --frames {frames}")
    return "\n".join(lines)


def _machine(versions: dict[str, Any]) -> str:
    system = versions["platform"].partition("-")[0]
    return f"{versions['cpus']} CPUs, {system}, PyTorch {versions['torch']}"


def _commit(versions: dict[str, Any]) -> str:
    changed = " with uncommitted changes" if versions["uncommitted"] else ""
    return f"`{(versions['commit'] or 'unknown')[:12]}`{changed}"


def _dtype(weights: Path) -> str:
    kinds = {str(x.dtype).removeprefix("torch.") for x in load_file(weights).values()}
    return " and ".join(sorted(kinds))


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.2f} MB"
