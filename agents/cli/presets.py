"""Preset files: options of runs as YAML, in the folder of a program or elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

from agents.cli.options import Option, OptionError, find_option, nearest
from agents.cli.program import USES, Names, Program
from agents.cli.settings import Setting, convert
from agents.cli.yaml_file import is_list, is_mapping, read_yaml
from memory import CORES

_YAML_LIST = "tag:yaml.org,2002:seq"

COMMAND_LINE_ONLY = ("ray_address", "ship", "wandb")
"""Options that no file may set: a run folder from elsewhere must not choose what is connected to,
since that host would receive the cluster's token or the metrics."""


class Entry(NamedTuple):
    """One value of a preset, and its line."""

    value: Any
    line: int


class Preset(NamedTuple):
    """The content of one file: its subject and core, if named, and its values by key."""

    path: Path
    subject: str | None
    core: str | None
    entries: dict[str, Entry]

    def section(self, name: str) -> list[str]:
        """The keys of the options of the subject or the core."""
        return [key for key in self.entries if key.startswith(f"{name}.")]


def find_preset(program: Program, given: str) -> Path:
    """The file of `--config`: a path, or the name of a preset."""
    path = _path_of(program.folder, given)
    if path.parent == program.folder and (parts := _parts_of(path)):
        raise OptionError(
            f"--config {given}: extends a preset; use --config {parts[0]} --core {parts[1]}."
        )
    return path


def _path_of(folder: Path, given: str) -> Path:
    path = Path(given)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        if not path.is_file():
            hint = f" Did you mean {path / 'config.yaml'}?" if path.is_dir() else ""
            raise OptionError(f"--config {given}: no such file.{hint}")
        return folder / path.name if path.parent.resolve() == folder.resolve() else path
    if not (folder / f"{given}.yaml").is_file():
        raise OptionError(
            f"--config {given}: no such preset. {nearest(given, preset_names(folder))}"
        )
    return folder / f"{given}.yaml"


def preset_names(folder: Path) -> list[str]:
    """The presets of a folder that `--config` takes by name."""
    return sorted(path.stem for path in folder.glob("*.yaml") if not _parts_of(path))


def _parts_of(path: Path) -> tuple[str, str] | None:
    """The preset and the core of a `<preset>-<core>.yaml`, which adds to that preset."""
    for core in CORES:
        owner = path.stem.removesuffix(f"-{core}")
        if owner != path.stem and path.with_name(f"{owner}.yaml").is_file():
            return owner, core
    return None


def read_preset(program: Program, path: Path) -> Preset:
    """Read one file, without checking its keys against options."""
    entries = dict(_entries(path))
    for section, use in USES.items():
        named = section in entries or f"{section}.name" in entries
        if named and section not in program.registries:
            raise OptionError(f"{path} is of {use}; {program.name} does not read it.")
    subject, core = (_take_name(path, entries, section) for section in program.registries)
    return Preset(path, subject, core, entries)


def _entries(path: Path) -> Iterator[tuple[str, Entry]]:
    """The two levels of options: `batch`, `loss.discount`. Deeper mappings are values."""
    file = read_yaml(path, 2, lambda key: key.replace("-", "_"))
    if file.values is not None and not is_mapping(file.values):
        raise file.error("expected lines of `option: value`.")
    for name, value in (file.values or {}).items():
        if is_mapping(value) and value:
            for key, option in value.items():
                yield f"{name}.{key}", Entry(option, file.lines[name, key])
        else:
            yield name, Entry(value, file.lines[name,])


def _take_name(path: Path, entries: dict[str, Entry], section: str) -> str | None:
    """The name in `env: boxworld` or `env: {name: boxworld, ...}`."""
    entry = entries.pop(section, None) or entries.pop(f"{section}.name", None)
    if entry is None or isinstance(entry.value, str):
        return entry.value if entry else None
    raise OptionError(f"{path}, line {entry.line}: `{section}` is a name, got {entry.value!r}.")


def preset_settings(preset: Preset, options: dict[str, Option]) -> Iterator[Setting]:
    """The converted values of a preset; raises `OptionError` with the line of an error."""
    for key, (value, line) in preset.entries.items():
        source = f"{preset.path}, line {line}"
        option = find_option(key, options)
        if option is None:
            raise OptionError(f"{source}: no option `{key}`. {nearest(key, options)}")
        if option.is_mapping != is_mapping(value) or _is_nested(value):
            expected = "a mapping" if option.is_mapping else "one value or a list"
            raise OptionError(f"{source}: `{key}` is {expected}, got {value!r}.")
        if not option.is_mapping:
            words = [str(word) for word in (value if is_list(value) else [value])]
            try:
                value = convert(option, words)
            except OptionError as error:
                raise OptionError(f"{error}\n{option.flag} is from {source}.") from None
        yield Setting(option, value, source, False)


def _is_nested(value: Any) -> bool:
    return is_list(value) and any(is_list(part) or is_mapping(part) for part in value)


def to_yaml(program: Program, config: Any, names: Names | None = None) -> str:
    """A preset that repeats a run: every option but those of the place where it ran.

    Args:
        config: the run.
        names: its subject and core in the registries; by default the nearest entries.
    """
    names = names or nearest_names(program, config)
    tree = _tree(config)
    for section, name in zip(program.registries, names, strict=True):
        tree[section] = {"name": name, **tree[section]}
    for place in ("run_dir", "overwrite", "quiet", *COMMAND_LINE_ONLY):
        del tree[place]
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False)


def nearest_names(program: Program, config: Any) -> Names:
    """The entries of the registries that a configuration differs least from."""
    return Names(
        _nearest_entry(getattr(config, program.subject), program.subjects),
        _nearest_entry(config.core, CORES),
    )


class _Dumper(yaml.SafeDumper):
    """Writes mappings in block style and lists in flow style."""


_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence(_YAML_LIST, items, flow_style=True)
)


def _nearest_entry(config: Any, registry: Mapping[str, Any]) -> str:
    """The entry of the same class with the fewest options that differ."""
    entries = {
        name: entry() if isinstance(entry, type) else entry for name, entry in registry.items()
    }
    same = {name: entry for name, entry in entries.items() if type(entry) is type(config)}
    own = _tree(config)
    return min(same, key=lambda name: sum(own[k] != v for k, v in _tree(same[name]).items()))


def _tree(config: Any) -> dict[str, Any]:
    """A configuration as YAML values."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _tree(value)
    if isinstance(value, tuple) or is_list(value):
        return [_plain(item) for item in cast(Sequence[Any], value)]
    return str(value) if isinstance(value, Path) else value
