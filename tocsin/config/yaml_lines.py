"""YAML with line numbers: plain data, the line of every key and item, and a refusal of doubled keys."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from escalation.config.references import Path

MERGE, BOOLEAN, TIMESTAMP = (f"tag:yaml.org,2002:{name}" for name in ("merge", "bool", "timestamp"))
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
DEEPEST = 40


@dataclass(frozen=True)
class Fault:
    """Something wrong on a line, counted from 1."""

    line: int
    text: str


@dataclass
class Document:
    """What a file holds. `lines` maps the path of each key or list item to its line; `faults` are doubled keys."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a path, or of its nearest ancestor in the file."""
        return self.lines.get(self.nearest(path), 1)

    def nearest(self, path: Path) -> Path:
        """As much of a path as the file really has."""
        while path and path not in self.lines:
            path = path[:-1]
        return path

    def scalars(self, under: Path) -> Iterator[tuple[Path, str]]:
        """Every plain value at or below a path, as text, in the file's order."""
        yield from _scalars(_reach(self.data, under), under)


def parse(text: str) -> Document:
    """Read one YAML document. What cannot be read at all is a single fault, with data None."""
    document = Document()
    try:
        _read(text, document)
    except yaml.MarkedYAMLError as error:
        document.faults.append(_fault(error))
    except (yaml.YAMLError, ValueError) as error:
        document.faults.append(Fault(1, f"this is not YAML: {str(error).splitlines()[0]}"))
    return document


def _read(text: str, document: Document) -> None:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            document.data = _plain(loader, node, (), document)
    finally:
        loader.dispose()


def _plain(loader: yaml.SafeLoader, node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > DEEPEST:
        raise yaml.composer.ComposerError(None, None, "this is nested too deeply", node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, n), document) for n, item in enumerate(node.value)]
    return _scalar(loader, node)


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """As YAML 1.2 reads it: `no` is a name, 12:30 a time of day and 2026-11-02 a text, as YAML 1.1 has it not."""
    odd_boolean = node.tag == BOOLEAN and node.value.lower() not in ("true", "false")
    if odd_boolean or node.tag == TIMESTAMP or (node.tag in NUMBERS and ":" in node.value):
        return node.value
    return loader.construct_object(node)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    """Keys are always text, so that `no:` or `12:` is a name and not a boolean or a number."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag != MERGE and key.value in seen:
            document.faults.append(
                Fault(line, f"'{key.value}' stands here twice (first on line {seen[key.value]}); keep one")
            )
        seen.setdefault(str(key.value), line)
    loader.flatten_mapping(node)
    out = {}
    for key, value in node.value:
        here = (*path, str(key.value))
        document.lines[here] = key.start_mark.line + 1
        out[str(key.value)] = _plain(loader, value, here, document)
    return out


def _fault(error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    remedy = "; indent with spaces" if "\\t" in str(error.problem) else ""
    return Fault(mark.line + 1 if mark else 1, f"this is not YAML: {error.problem or error.context}{remedy}")


def _reach(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _scalars(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _scalars(value, (*path, key))
    elif isinstance(data, list):
        for n, value in enumerate(data):
            yield from _scalars(value, (*path, n))
    elif data is not None:
        yield path, str(data)
