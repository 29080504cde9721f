"""Parse YAML into plain data with the line of every key and item. Duplicate keys are faults."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from escalation.config.references import Path

MERGE, BOOLEAN, TIMESTAMP = (f"tag:yaml.org,2002:{name}" for name in ("merge", "bool", "timestamp"))
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
MAX_DEPTH = 40


@dataclass(frozen=True)
class Fault:
    """An error on a line, counted from 1."""

    line: int
    text: str


@dataclass
class Document:
    """A parsed file. `lines` maps the path of each key or list item to its line."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a path, or of its nearest ancestor in the file."""
        return self.lines.get(self.nearest(path), 1)

    def nearest(self, path: Path) -> Path:
        """The longest part of a path that exists in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return path

    def scalars(self, under: Path) -> Iterator[tuple[Path, str]]:
        """Yield every scalar at or below a path as text, in the file's order."""
        yield from _scalars(_value_at(self.data, under), under)


def parse(text: str) -> Document:
    """Parse one YAML document. A syntax error is a single fault, with data None."""
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
            document.data = _data(loader, node, (), document)
    finally:
        loader.dispose()


def _data(loader: yaml.SafeLoader, node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > MAX_DEPTH:
        raise yaml.composer.ComposerError(None, None, "this is nested too deeply", node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_data(loader, item, (*path, n), document) for n, item in enumerate(node.value)]
    return _scalar(loader, node)


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """A scalar as in YAML 1.2: `no`, `12:30` and `2026-11-02` are text, unlike in YAML 1.1."""
    odd_boolean = node.tag == BOOLEAN and node.value.lower() not in ("true", "false")
    if odd_boolean or node.tag == TIMESTAMP or (node.tag in NUMBERS and ":" in node.value):
        return node.value
    return loader.construct_object(node)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    """A mapping whose keys are always text, so that `no:` or `12:` is a name and not a boolean or a number."""
    first_lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.tag != MERGE and key.value in first_lines:
            document.faults.append(
                Fault(line, f"'{key.value}' stands here twice (first on line {first_lines[key.value]}); keep one")
            )
        first_lines.setdefault(str(key.value), line)
    loader.flatten_mapping(node)
    out = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            text = "a name is plain text, not a list or a mapping; put it in quotes"
            document.faults.append(Fault(key.start_mark.line + 1, text))
            continue
        here = (*path, str(key.value))
        document.lines[here] = key.start_mark.line + 1
        out[str(key.value)] = _data(loader, value, here, document)
    return out


def _fault(error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    remedy = "; indent with spaces" if "\\t" in str(error.problem) else ""
    return Fault(mark.line + 1 if mark else 1, f"this is not YAML: {error.problem or error.context}{remedy}")


def _value_at(data: Any, path: Path) -> Any:
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
