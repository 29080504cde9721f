"""Slack's own schema of Block Kit, when it is beside this checkout."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

SCHEMA = Path(__file__).parents[3] / "shared" / "slack" / "blockkit.schema.json"


def problems(value: Any, kind: str = "block") -> list[str]:
    """What the schema has against a block (or a `modal_view`, a `home_view`, ...); nothing when it is not at hand."""
    return list(_problems(kind, json.dumps(value))) if SCHEMA.exists() else []


@cache
def _problems(kind: str, text: str) -> tuple[str, ...]:
    """Most blocks come again and again."""
    return tuple(error.message for error in _validator(kind).iter_errors(json.loads(text)))


@cache
def _validator(kind: str) -> Any:
    quick = validators.extend(Draft202012Validator, {"$ref": _follow, "oneOf": _one_of})
    return quick({"$ref": f"#/$defs/{kind}"})


def _follow(validator: Any, ref: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    yield from validator.descend(value, _definition(ref))


def _one_of(validator: Any, branches: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Only the branch that is of the value's `type`, where each has its own: trying them all takes 20 times as long."""
    by_type = {_type(_definition(b.get("$ref", ""))): b for b in branches}
    if None in by_type or len(by_type) < len(branches) or not isinstance(value, dict):
        yield from Draft202012Validator.VALIDATORS["oneOf"](validator, branches, value, schema)
    elif value.get("type") in by_type:
        yield from validator.descend(value, by_type[value["type"]])
    else:
        yield ValidationError(f"{value.get('type')!r} is not one of {list(by_type)}")


def _type(definition: Any) -> str | None:
    found = definition.get("properties", {}).get("type", {}).get("const")
    return str(found) if found else None


def _definition(ref: str) -> Any:
    return _definitions().get(ref.rpartition("/")[2], {})


@cache
def _definitions() -> Any:
    return json.loads(SCHEMA.read_text())["$defs"]
