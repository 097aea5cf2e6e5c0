"""Checkpoints that survive kills, full disks and flipped bits.

A checkpoint is a folder, `<frame>/{weights.safetensors, state.safetensors, state.json,
manifest.json}`. It is written atomically, so a folder named by a frame is complete. The manifest
holds the SHA-256 of each file and of itself; loading verifies all of them and falls back to the
previous checkpoint if one is damaged. Sizes are checked before files are read, and nothing is
unpickled.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
from torch import Tensor

from agents.cli.yaml_file import is_mapping
from agents.runs.atomic import UNFINISHED, atomic_path, atomic_write
from agents.runs.plain_values import decode, encode
from memory.regular_file import read_regular

SCHEMA = 2
"""Version of the format. Of version 1 the weights are read, not the state; others are refused."""

_WEIGHTS, _MANIFEST = "weights.safetensors", "manifest.json"
_TENSORS, _STATE = "state.safetensors", "state.json"
_FILES = {1: (_WEIGHTS,), SCHEMA: (_WEIGHTS, _TENSORS, _STATE)}
"""The files that a version reads."""
_BEST = "best"
_LARGEST_TEXT = 1 << 23  # bytes of a text: a state has some thousand
_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
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


class Snapshot(NamedTuple):
    """A copy of what a checkpoint holds; training does not change it."""

    frame: int
    weights: dict[str, Tensor]
    state: Any
    """Encoded as JSON; its tensors are beside it."""
    tensors: dict[str, Tensor]


def snapshot(*, frame: int, weights: Mapping[str, Tensor], state: Mapping[str, Any]) -> Snapshot:
    """Copy what a checkpoint holds.

    Args:
        frame: environment steps learned from so far.
        weights: parameters and buffers by name.
        state: all else that a resume needs, in the values that `agents.runs.plain_values` accepts.

    Raises:
        TypeError: names the part of the state that cannot be in a checkpoint.
    """
    tensors: dict[str, Tensor] = {}
    encoded = encode(state, "state", tensors)
    # Cloned, also since safetensors refuses parameters that are views of one vector.
    copies = {name: x.detach().cpu().clone().contiguous() for name, x in weights.items()}
    return Snapshot(frame, copies, encoded, tensors)


def save(
    folder: Path,
    *,
    frame: int,
    weights: Mapping[str, Tensor],
    state: Mapping[str, Any],
    **options: Any,
) -> Path:
    """Write the checkpoint of a frame: `snapshot` and `write`."""
    return write(folder, snapshot(frame=frame, weights=weights, state=state), **options)


def write(
    folder: Path, content: Snapshot, *, config: bytes = b"", keep: int = 3, best: bool = False
) -> Path:
    """Write a checkpoint and remove the oldest.

    A valid checkpoint of the same frame is kept as it is. A folder must have one writer.

    Args:
        folder: of the run's checkpoints.
        config: content of the run's configuration file, which `load` compares.
        keep: number of the newest checkpoints to keep.
        best: mark this one as the best; it is kept until another is marked.

    Raises:
        CheckpointError: it could not be written; older checkpoints are kept.
    """
    frame = content.frame
    files = {_WEIGHTS: safetensors.torch.save(content.weights), **_state_files(content)}
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


def load_newest(folder: Path) -> Checkpoint | None:
    """As `load`; None if no checkpoint has been written yet."""
    return load(folder) if newest(folder) else None


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


def newest(folder: Path) -> Path | None:
    """The newest complete checkpoint of a folder, if there is one."""
    names = _names(folder)
    return folder / names[-1] if names else None


def best(folder: Path) -> Path | None:
    """The checkpoint that is marked as the best, if one is."""
    name = _best_name(folder)
    return folder / name if name in _names(folder) else None


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
    digest = hashlib.sha256(_attempt(file, _text, file)).hexdigest()
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


def _state_files(content: Snapshot) -> dict[str, bytes]:
    text = json.dumps(content.state).encode()
    if len(text) > _LARGEST_TEXT:
        raise CheckpointError(f"The state has {len(text):,} bytes, at most {_LARGEST_TEXT:,} fit.")
    return {_TENSORS: safetensors.torch.save(content.tensors), _STATE: text}


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
    if not path.is_file():
        return None
    return _attempt(path, _text, path).decode(errors="replace").strip()


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
    if content["schema"] != SCHEMA:
        reason = "was written by an earlier version of Engram, which alone can resume it"
        return weights, _Fields(f"{path} {reason}", {})
    tensors = _attempt(path / _TENSORS, safetensors.torch.load, _read_file(path, _TENSORS, entries))
    text = _attempt(path / _STATE, json.loads, _read_file(path, _STATE, entries))
    state = _attempt(path / _STATE, lambda value: decode(value, tensors), text)
    if not is_mapping(state):
        raise CheckpointError(f"{path / _STATE} is damaged: it holds no fields.")
    return weights, _Fields(f"{path / _STATE} is damaged", state)


class _Fields(dict[str, Any]):
    """Fields of a state; one that is missing is an error of the checkpoint."""

    def __init__(self, reason: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self._reason = reason

    def __missing__(self, name: str) -> Any:
        raise CheckpointError(f"{self._reason}: it has no field {name!r}.")


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / _MANIFEST
    manifest = _attempt(file, json.loads, _attempt(file, _text, file))
    content = manifest.get("content") if is_mapping(manifest) else None
    if not is_mapping(content) or manifest.get("sha256") != _digest(content):
        raise CheckpointError(f"{file} is damaged: its checksum does not match.")
    if content.get("schema") not in list(_FILES):  # which may be a list, too
        raise CheckpointError(
            f"{file}: schema {content.get('schema')}, this program reads {SCHEMA}."
        )
    if content.get("frame") != int(path.name):
        raise CheckpointError(f"{file} is of frame {content.get('frame')}, not of {path.name}.")
    files = content.get("files")
    needed = _FILES[content["schema"]]
    if not is_mapping(files) or not all(
        is_mapping(entry := files.get(name)) and {"size", "sha256"} <= entry.keys()
        for name in needed
    ):
        raise CheckpointError(f"{file} is damaged: it does not list {', '.join(needed)}.")
    return content


def _read_file(path: Path, name: str, entries: dict[str, Any]) -> bytes:
    file, expected = path / name, entries[name]
    size = _attempt(file, os.path.getsize, file)
    if size != expected["size"]:
        raise CheckpointError(f"{file} is damaged: {size} bytes, expected {expected['size']}.")
    largest = _LARGEST_TEXT if name == _STATE else _MEMORY
    data = _attempt(file, lambda path: read_regular(path, largest), file)
    if hashlib.sha256(data).hexdigest() != expected["sha256"]:
        raise CheckpointError(f"{file} is damaged: its checksum does not match.")
    return data


def _text(file: Path) -> bytes:
    return read_regular(file, _LARGEST_TEXT)


def _attempt(file: Path, function: Callable[[Any], Any], argument: Any) -> Any:
    """The result of a reader; any error that a damaged file causes becomes a `CheckpointError`."""
    try:
        return function(argument)
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing.") from None
    except Exception as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
