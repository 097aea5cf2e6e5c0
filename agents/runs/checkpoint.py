"""Checkpoints that survive kills, full disks and flipped bits.

A checkpoint is a folder, `<frame>/{weights.safetensors, state.pt, manifest.json}`. It is written
atomically, so a folder named by a frame is complete. The manifest holds the SHA-256 of each file
and of itself; loading verifies all of them and falls back to the previous checkpoint if one is
damaged. Nothing is unpickled.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from agents.runs.atomic import UNFINISHED, atomic_path, atomic_write
from agents.runs.plain_values import check_archive, decode, encode

SCHEMA = 1
"""Version of the format. Other versions are refused."""

_WEIGHTS, _STATE, _MANIFEST = "weights.safetensors", "state.pt", "manifest.json"
_BEST = "best"
_SPARE = 1_000_000  # bytes of free space beyond the files: folders need some


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the message names it and the reason."""


class WrongConfig(CheckpointError):
    """The configuration file is not the one that the checkpoint was saved with."""


class Checkpoint(NamedTuple):
    """A loaded checkpoint, and a warning for each newer one that is damaged."""

    path: Path
    frame: int
    weights: dict[str, Tensor]
    state: dict[str, Any]
    """A field that is missing raises `CheckpointError`."""
    warnings: tuple[str, ...]


def save(
    folder: Path,
    *,
    frame: int,
    weights: Mapping[str, Tensor],
    state: Mapping[str, Any],
    config: bytes = b"",
    keep: int = 3,
    best: bool = False,
) -> Path:
    """Write the checkpoint of a frame and remove the oldest.

    A valid checkpoint of the same frame is kept as it is. A folder must have one writer.

    Args:
        folder: of the run's checkpoints.
        frame: environment steps learned from so far.
        weights: parameters and buffers by name.
        state: all else that a resume needs, in the values that `agents.runs.plain_values` accepts.
        config: content of the run's configuration file, which `load` compares.
        keep: number of the newest checkpoints to keep.
        best: mark this one as the best; it is kept until another is marked.

    Raises:
        CheckpointError: it could not be written; older checkpoints are kept.
    """
    files = {_WEIGHTS: _weights_bytes(weights), _STATE: _state_bytes(state)}
    files[_MANIFEST] = _manifest_bytes(frame, files, config)
    target = folder / f"{frame:012d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder, frame)
        if not target.exists():
            _check_space(folder, sum(map(len, files.values())))
            _write_folder(target, files)
        if best:
            atomic_write(folder / _BEST, target.name)
        _prune(folder, keep)
    except OSError as error:
        raise CheckpointError(
            f"{target}: not written, older checkpoints are kept: {error}"
        ) from error
    return target


def load(folder: Path, *, best: bool = False, config: Path | None = None) -> Checkpoint:
    """Load the newest valid checkpoint of a folder, or the best one.

    Damaged checkpoints are skipped and named in `warnings`.

    Args:
        best: load the checkpoint that is marked as the best.
        config: the run's configuration file, which must be the one that the checkpoint was saved
            with.

    Raises:
        CheckpointError: none is valid, or the configuration is another.
    """
    names = _names(folder)
    if best:
        names = [name for name in names if name == _best_name(folder)]
    problems: list[str] = []
    for name in reversed(names):
        try:
            return _load(folder / name, config)._replace(warnings=tuple(problems))
        except WrongConfig:
            raise
        except CheckpointError as error:
            problems.append(str(error))
    kind = "best checkpoint" if best else "checkpoint"
    found = "\n".join(problems) if problems else "There is none."
    raise CheckpointError(f"{folder}: no {kind} to load. {found}")


def load_all(folder: Path, config: Path) -> list[Checkpoint]:
    """Load every valid checkpoint of a folder, the oldest first.

    Raises:
        WrongConfig: the configuration is not the one that they were saved with.
    """
    found = list[Checkpoint]()
    for name in _names(folder):
        try:
            found.append(_load(folder / name, config))
        except WrongConfig:
            raise
        except CheckpointError:
            continue
    return found


def _load(path: Path, config: Path | None) -> Checkpoint:
    content = _read_manifest(path)
    parts = _read(path, content)
    if config:
        _check_config(config, content, path)
    return Checkpoint(path, int(path.name), *parts, ())


def accept_config(folder: Path, config: bytes) -> None:
    """Let all checkpoints of a folder be loaded with another configuration too.

    Raises:
        OSError: a manifest cannot be written.
    """
    for name in _names(folder):
        with suppress(CheckpointError):  # damaged ones stay as they are
            content = _read_manifest(folder / name)
            configs = [*content.get("configs", []), hashlib.sha256(config).hexdigest()]
            content["configs"] = list(dict.fromkeys(configs))
            atomic_write(folder / name / _MANIFEST, _sealed(content))


def _check_config(file: Path, content: dict[str, Any], path: Path) -> None:
    """Checkpoints of earlier versions accept any configuration."""
    configs = content.get("configs")
    digest = hashlib.sha256(_attempt(file, Path.read_bytes, file)).hexdigest()
    if configs and digest not in configs:
        raise WrongConfig(
            f"{file} is damaged or was edited: its checksum is not in {path / _MANIFEST}. Restore "
            "it, or start a new run with --config."
        )


def _names(folder: Path) -> list[str]:
    """Names of the complete checkpoints in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((p.name for p in folder.iterdir() if p.name.isdecimal() and p.is_dir()), key=int)


def _weights_bytes(weights: Mapping[str, Tensor]) -> bytes:
    # Cloned, since safetensors refuses parameters that are views of one vector.
    return safetensors.torch.save(
        {k: v.detach().cpu().clone().contiguous() for k, v in weights.items()}
    )


def _state_bytes(state: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(encode(state, "state"), buffer)
    return buffer.getvalue()


def _manifest_bytes(frame: int, files: Mapping[str, bytes], config: bytes) -> bytes:
    entries = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in files.items()
    }
    configs = [hashlib.sha256(config).hexdigest()] if config else []
    return _sealed({"schema": SCHEMA, "frame": frame, "files": entries, "configs": configs})


def _sealed(content: dict[str, Any]) -> bytes:
    return json.dumps({"content": content, "sha256": _digest(content)}, indent=1).encode()


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE:
        raise CheckpointError(
            f"{folder}: the checkpoint is not written, older ones are kept: it needs "
            f"{(size + _SPARE) / 1e6:.1f} MB and {free / 1e6:.1f} MB are free."
        )


def _write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    with atomic_path(target) as folder:
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)


def _best_name(folder: Path) -> str | None:
    path = folder / _BEST
    return path.read_text(errors="replace").strip() if path.is_file() else None


def _tidy(folder: Path, frame: int) -> None:
    """Remove unfinished writes, and damaged checkpoints of this frame or a later one."""
    for left in folder.iterdir():
        is_broken_link = left.is_symlink() and not left.exists()
        if left.name.startswith(UNFINISHED) or is_broken_link:
            _delete(left)
    for name in _names(folder):
        if int(name) >= frame and not _is_good(folder / name):
            _remove(folder / name)


def _is_good(path: Path) -> bool:
    try:
        _read(path, _read_manifest(path))
    except CheckpointError:
        return False
    return True


def _prune(folder: Path, keep: int) -> None:
    kept = {*_names(folder)[-max(keep, 1) :], _best_name(folder)}
    for name in _names(folder):
        if name not in kept:
            _remove(folder / name)


def _remove(path: Path) -> None:
    """Delete a checkpoint. It is renamed first, so that a kill leaves no incomplete one."""
    _delete(path.rename(path.with_name(UNFINISHED + path.name)))


def _delete(path: Path) -> None:
    """Delete a file, a folder or a link, but not what a link points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _read(path: Path, content: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    entries = content["files"]
    weights = _attempt(path / _WEIGHTS, safetensors.torch.load, _read_file(path, _WEIGHTS, entries))
    state = _attempt(path / _STATE, _load_state, _read_file(path, _STATE, entries))
    return weights, _Fields(path / _STATE, state)


class _Fields(dict[str, Any]):
    """Fields of a state; one that is missing is an error of the checkpoint."""

    def __init__(self, file: Path, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self._file = file

    def __missing__(self, name: str) -> Any:
        raise CheckpointError(f"{self._file} is damaged: it has no field {name!r}.")


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / _MANIFEST
    manifest = _attempt(file, json.loads, _attempt(file, Path.read_bytes, file))
    content = manifest.get("content") if isinstance(manifest, dict) else None
    if not isinstance(content, dict) or manifest.get("sha256") != _digest(content):
        raise CheckpointError(f"{file} is damaged: its checksum does not match.")
    if content.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{file}: schema {content.get('schema')}, this program reads {SCHEMA}."
        )
    if content.get("frame") != int(path.name):
        raise CheckpointError(f"{file} is of frame {content.get('frame')}, not of {path.name}.")
    files = content.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(entry := files.get(name), dict) and {"size", "sha256"} <= entry.keys()
        for name in (_WEIGHTS, _STATE)
    ):
        raise CheckpointError(f"{file} is damaged: it lists no {_WEIGHTS} and {_STATE}.")
    return content


def _read_file(path: Path, name: str, entries: dict[str, Any]) -> bytes:
    file, expected = path / name, entries[name]
    size = _attempt(file, os.path.getsize, file)
    if size != expected["size"]:
        raise CheckpointError(f"{file} is damaged: {size} bytes, expected {expected['size']}.")
    data = _attempt(file, Path.read_bytes, file)
    if hashlib.sha256(data).hexdigest() != expected["sha256"]:
        raise CheckpointError(f"{file} is damaged: its checksum does not match.")
    return data


def _attempt(file: Path, function: Callable[[Any], Any], argument: Any) -> Any:
    """The result of a reader; any error that a damaged file causes becomes a `CheckpointError`."""
    try:
        return function(argument)
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing.") from None
    except Exception as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error


def _load_state(data: bytes) -> dict[str, Any]:
    check_archive(data)
    loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    state = decode(loaded, most=len(data))
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, expected fields")
    return state
