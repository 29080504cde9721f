"""Translate pydantic's errors into faults of a file: the line, what is wrong, how to fix it."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from escalation.config.references import Path, suggest
from tocsin.config.yaml_lines import Document, Fault

# What to write for each pattern of the models.
PATTERNS = {
    r"^[a-z][a-z0-9_.-]*$": "write lower-case letters, digits, '_', '.' or '-', a letter first",
    r"^[a-z][a-z0-9_]*$": "write lower-case letters, digits or '_', a letter first",
    r"^[a-z][a-z0-9-]*$": "write lower-case letters, digits or '-', a letter first",
    r"^[a-z0-9][a-z0-9_-]{0,39}$": "write up to 40 lower-case letters, digits, '_' or '-'",
    r"^[A-Z][A-Z0-9_]*$": "write the name of an environment variable like RESTART_SECRET",
    r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$": "write owner and repository, like acme/shop",
    r"^[A-Z][A-Z0-9_]+$": "write the key of a project, like OPS",
    r"^\S{1,50}$": "write a label without spaces",
    r"^~?[A-Za-z0-9]+$": "write the key of a space, like OPS",
    r"^[^@\s]\S*$": "write a login, without @",
    r"^[UW][A-Z0-9]{2,}$": "write a member id like U012ABCDEF (profile, ⋮, Copy member ID)",
    r"^[^@\s]+@[^@\s]+$": "write an e-mail address like dana@example.com",
}


def faults(error: ValidationError, model: type[BaseModel], document: Document, *, whole: bool = True) -> list[Fault]:
    """One fault for each error. Without `whole`, errors about the document as a whole are left out."""
    schema = model.model_json_schema()
    errors = [e for e in error.errors(include_url=False) if whole or e["loc"]]
    return list(dict.fromkeys(_fault(e, schema, document) for e in errors))


def _fault(error: ErrorDetails, schema: dict[str, Any], document: Document) -> Fault:
    path = tuple(step for step in error["loc"] if step != "[key]")
    if error["type"] == "extra_forbidden":
        known = _fields(schema, path[:-1])
        return Fault(document.line(path), f"unknown key '{path[-1]}'{suggest(str(path[-1]), known)}")
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return Fault(document.line(_locate(text, path, document)), text)
    message = MESSAGES.get(error["type"], _pydantic_message)
    place = path if error["type"] == "missing" else document.nearest(path)
    return Fault(document.line(path), f"{'.'.join(map(str, place)) or 'the file'}: {message(error)}")


def _pattern(error: ErrorDetails) -> str:
    pattern = error.get("ctx", {}).get("pattern", "")
    return f"'{error['input']}' will not do; {PATTERNS.get(pattern, f'it must match {pattern}')}"


def _instant(error: ErrorDetails) -> str:
    return f"a time with its offset belongs here, like 2026-12-01T22:00:00+01:00{_given_value(error['input'])}"


MESSAGES: dict[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda e: "is missing; add it here",
    "string_pattern_mismatch": _pattern,
    "string_type": lambda e: f"a text belongs here{_given_value(e['input'])}",
    "model_type": lambda e: f"settings with names belong here, like {{key: value}}{_given_value(e['input'])}",
    "dict_type": lambda e: f"settings with names belong here, like {{key: value}}{_given_value(e['input'])}",
    "tuple_type": lambda e: f"a list belongs here, like [one, two]{_given_value(e['input'])}",
    "enum": lambda e: _pydantic_message(e) + _nearest(e),
    "literal_error": lambda e: _pydantic_message(e) + _nearest(e),
    **dict.fromkeys(("timezone_aware", "datetime_from_date_parsing", "datetime_parsing", "datetime_type"), _instant),
    "bool_parsing": lambda e: f"true or false belongs here{_given_value(e['input'])}",
}


def _pydantic_message(error: ErrorDetails) -> str:
    """pydantic's own message, as part of a sentence."""
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}{_given_value(error['input'])}"


def _nearest(error: ErrorDetails) -> str:
    """Suggest one similar value; pydantic's message lists all."""
    known = re.findall(r"'([^']*)'", error.get("ctx", {}).get("expected", ""))
    near = get_close_matches(str(error["input"]), known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _given_value(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return ""
    return ", but it is empty" if value is None else f", not '{value}'"


def _locate(message: str, path: Path, document: Document) -> Path:
    """Locate the value that a model's own check is about: the first one below its path that the first clause quotes."""
    for word in re.findall(r"[\w.-]+", message.split(",")[0]):
        for where, value in document.scalars(path):
            if value == word:
                return where
    return path


def _fields(schema: dict[str, Any], path: Path) -> set[str]:
    """The keys that a model knows at a path, read from its JSON Schema."""
    here = _resolve(schema, schema)
    for step in path:
        here = _resolve(_step(here, step), schema)
    return set(here.get("properties", {}))


def _step(here: dict[str, Any], step: str | int) -> dict[str, Any]:
    if isinstance(step, int):
        return dict(here.get("items", {}))
    patterned = next(iter(here.get("patternProperties", {}).values()), None)
    child = here.get("properties", {}).get(step) or patterned or here.get("additionalProperties")
    return child if isinstance(child, dict) else {}


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, or take the part of a union that has fields."""
    if "$ref" in node:
        return _resolve(schema["$defs"][node["$ref"].rsplit("/", 1)[1]], schema)
    for part in node.get("anyOf", []):
        if "$ref" in part or "properties" in part:
            return _resolve(part, schema)
    return node
