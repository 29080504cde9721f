"""JSON Schema for editors, and the tables of keys in docs/writing-a-policy.md: both as the models are."""

import functools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from escalation.messages.catalog import TEMPLATES
from tocsin.cli import main
from tocsin.commands import schema
from tocsin.commands.schema import KEYS, MODELS
from tocsin.config import loader, yaml_lines
from tocsin.config.key_docs import CONFIG, POLICY
from tocsin.config.settings import EXAMPLE_CONFIG

schema_of = functools.cache(schema.schema_of)  # 30 ms each time; nothing here changes one
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
WRITING = (ROOT / "docs" / "writing-a-policy.md").read_text(encoding="utf-8")
FILES = [
    *(("policy", file) for file in sorted(loader.SHIPPED.glob("*.yml"))),
    *(("policy" if file.stem.endswith("-policy") else "config", file) for file in sorted(EXAMPLES.glob("*.yml"))),
    ("config", EXAMPLE_CONFIG),
]
ONE_PERSON = {"policy": "kars", "people": {"dana": {"email": "dana@example.com"}}}


def wrong(kind: str, data: Any) -> list[str]:
    """What the schema finds wrong."""
    return [error.message for error in jsonschema.Draft202012Validator(schema_of(kind)).iter_errors(data)]


@pytest.mark.parametrize("kind", MODELS)
def test_the_schema_that_is_committed_is_the_one_of_the_models(kind: str) -> None:
    """`tocsin schema KIND > docs/schema/KIND.schema.json` makes it anew."""
    printed = CliRunner().invoke(main, ["schema", kind]).output
    jsonschema.Draft202012Validator.check_schema(json.loads(printed))
    assert (ROOT / "docs" / "schema" / f"{kind}.schema.json").read_text(encoding="utf-8") == printed


@pytest.mark.parametrize(("kind", "file"), FILES, ids=[file.name for _, file in FILES])
def test_what_is_shipped_is_right_by_the_schema_too(kind: str, file: Path) -> None:
    """And its first line leads an editor there."""
    text = file.read_text(encoding="utf-8")
    assert wrong(kind, yaml_lines.parse(text).data) == []
    link = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / link).resolve() == ROOT / "docs" / "schema" / f"{kind}.schema.json"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"timezon": "UTC"}, "timezon"),
        ({"people": {"dana": {"emial": "x"}}}, "emial"),
        ({"roles": {"on_call": {"person": "dana"}}}, "is not valid under any of the given schemas"),
        ({"rotations": {"primary": {"people": []}}}, "[] should be non-empty"),
        ({"calendar": {"closed": 5}}, "5 is not valid under any of the given schemas"),
        ({"public_channels": ["statuspage"]}, "is not valid under any of the given schemas"),
    ],
)
def test_an_editor_sees_mistakes(more: dict[str, Any], says: str) -> None:
    """Unknown keys, wrong shapes, words that there are not."""
    assert any(says in message for message in wrong("config", {**ONE_PERSON, **more}))


@pytest.mark.parametrize(
    "more",
    [
        {"roles": {"on_call": "dana", "backup": ["dana", "S012ABC"]}},
        {"people": {"dana": {"slack": "U012ABC", "away": "2026-12-24..2027-01-02"}}},
        {"people": {"dana": {"slack": "U012ABC", "away": ["2026-12-24", "2027-01-02"]}}},
        {"calendar": {"closed": ["2026-12-24"], "days": "Monday-Friday"}},
        {"calendar": {"closed": {"2026-12-24": "Christmas Eve"}, "days": ["Monday", "Friday"]}},
        {"contacts": {"technical": ["Lena", {"name": "Bruno", "phone": "+1 555 0100"}]}},
        {"permissions": {"resolve": "on_call", "cancel": ["on_call"]}, "roles": {"on_call": "dana"}},
    ],
)
def test_an_editor_takes_each_way_of_writing(more: dict[str, Any]) -> None:
    """What the program reads is right in the editor: one or several, a text or settings."""
    data = {**ONE_PERSON, **more}
    assert wrong("config", data) == []
    assert MODELS["config"].model_validate(data)


def definitions() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every model of the files, by name."""
    for model in MODELS:
        document = schema_of(model)
        yield MODELS[model].__name__, document
        yield from ((name, body) for name, body in document["$defs"].items() if "properties" in body)


def test_every_key_is_explained() -> None:
    """In the order of the models, no more and no fewer."""
    assert {name: set(body["properties"]) for name, body in definitions()} == {k: set(v) for k, v in KEYS.items()}


# The tables of the docs ----------------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ("---",) * len(head), *rows))


def keys_of(name: str) -> str:
    """The table of a model's keys."""
    body, names = dict(definitions())[name], dict(definitions())
    head = ("key", "says", "is written as", "unless said")
    rows = [
        (f"`{key}`", said, kind(body["properties"][key], set(names)), fallback(key, body))
        for key, said in KEYS[name].items()
    ]
    return table(head, rows)


def kind(value: dict[str, Any], models: set[str]) -> str:
    """What may stand there."""
    parts = [v for v in value.get("anyOf", ()) if v.get("type") != "null"]
    if parts:
        return " or ".join(dict.fromkeys(kind(part, models) for part in parts))
    if "$ref" in value:
        return "settings" if value["$ref"].removeprefix("#/$defs/") in models else "a word"
    examples = value.get("examples", ())
    special = [name for sign, name in (("at once", "wait"), ("90s", "duration")) if sign in examples]
    if special or "enum" in value:
        return special[0] if special else "a word"
    names = {
        "boolean": "`true` or `false`",
        "integer": "number",
        "number": "number",
        "object": "settings",
        "array": "list",
    }
    return names.get(value.get("type", "array"), "text")


def fallback(key: str, body: dict[str, Any]) -> str:
    if key in body.get("required", ()):
        return "(needed)"
    found = body["properties"][key].get("default", "")
    return f"`{json.dumps(found)}`".replace('"', "") if found != "" else ""


def templates() -> str:
    """The messages and their fields."""
    return table(("message", "fields"), [(f"`{n}`", ", ".join(f"`{f}`" for f in fs)) for n, fs in TEMPLATES.items()])


@pytest.mark.parametrize("name", [*POLICY, *CONFIG])
def test_the_docs_explain_each_key(name: str) -> None:
    """With the sentence that an editor shows."""
    assert keys_of(name) in WRITING


def test_the_docs_list_each_message() -> None:
    """And all its fields."""
    assert templates() in WRITING


def test_the_docs_know_each_word() -> None:
    """Whatever a key may be set to is named on the page."""
    words = {word for model in MODELS for body in schema_of(model)["$defs"].values() for word in body.get("enum", ())}
    known = set(re.findall(r"`([\w-]+)`", WRITING))
    assert words - known - {"P0", "P2"} == set()
