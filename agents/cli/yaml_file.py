"""YAML files: their values, the line of each key, and errors that name the file and the line."""

# pyright: reportUnknownMemberType=false

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard, cast

import yaml

from agents.cli.options import OptionError, nearest
from memory.regular_file import read_regular

_DEEPEST = 10  # levels of nesting; options have two, and values may have some
_LARGEST = 100_000  # bytes; a preset of all options has 3000


def is_mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a mapping, here of strings."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value is a list."""
    return isinstance(value, list)


class YamlFile(NamedTuple):
    """The content of one file."""

    path: Path
    values: Any
    lines: dict[tuple[str, ...], int]
    """The line of each key, by the keys that lead to it."""

    def sections(self, allowed: Sequence[str]) -> dict[str, Any]:
        """The values by their first key; raises `OptionError` if another is given."""
        if not is_mapping(self.values):
            raise self.error(f"expected sections {', '.join(allowed)}.")
        for name in self.values:
            if name not in allowed:
                raise self.error(f"no section `{name}`. {nearest(name, allowed)}", name)
        return self.values

    def mapping(self, value: Any, *where: str) -> dict[str, Any]:
        """The value of a key; raises `OptionError` unless it is a mapping."""
        if not is_mapping(value):
            name = ": ".join(where)
            raise self.error(f"`{name}` takes lines of `option: value`, got {value!r}.", *where)
        return value

    def error(self, text: str, *where: str) -> OptionError:
        """An error about the key with this path, or about the file."""
        line = self.lines.get(where)
        return OptionError(f"{self.path}{f', line {line}' if line else ''}: {text}")


def find_yaml(given: str, folder: Path, kind: str) -> Path:
    """The file of a path, or of a name in a folder; `kind` is the word for one in the error."""
    for path in (Path(given), folder / f"{given}.yaml"):
        if path.is_file():
            return path
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    raise OptionError(f"{given}: no such file or {kind}. {nearest(given, names)}")


def read_yaml(path: Path, levels: int, spell: Callable[[str], str] = str) -> YamlFile:
    """Read a file whose values cannot name Python objects.

    Args:
        levels: of mappings whose keys are strings, each given once and noted with its line. Deeper
            mappings are plain values.
        spell: how these keys are spelled in the result.

    Raises:
        OptionError: the file cannot be read, is too long, nested too deeply, or is not YAML.
    """
    text = _text(path)
    try:
        _check_shape(path, text)
        loader = yaml.SafeLoader(text)
        file = YamlFile(path, None, {})
        return file._replace(values=_values(file, loader, loader.get_single_node(), levels, spell))
    except OptionError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise OptionError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _text(path: Path) -> str:
    try:
        return read_regular(path, _LARGEST).decode()
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise OptionError(f"{path} cannot be read: {error}") from None


def _check_shape(path: Path, text: str) -> None:
    """Refuse aliases and deep nesting, with which a short file takes all time and memory."""
    depth = 0
    events = cast(Iterator[Any], yaml.parse(text, yaml.SafeLoader))
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            line = event.start_mark.line + 1
            raise OptionError(f"{path}, line {line}: aliases and deep nesting are not allowed.")


def _values(
    file: YamlFile,
    loader: yaml.SafeLoader,
    node: Any,
    levels: int,
    spell: Callable[[str], str],
    where: tuple[str, ...] = (),
) -> Any:
    """The value of a node; notes the line of each key."""
    if node is None:
        return None
    if not levels or not isinstance(node, yaml.MappingNode):
        return cast(Any, loader.construct_object(node, deep=True))
    values: dict[str, Any] = {}
    for key, value in node.value:
        name = spell(str(key.value))
        file.lines[*where, name] = key.start_mark.line + 1
        if name in values:
            raise file.error(f"`{name}` is given twice.", *where, name)
        values[name] = _values(file, loader, value, levels - 1, spell, (*where, name))
    return values
