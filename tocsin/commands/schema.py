"""`tocsin schema`: JSON Schema of a policy or a configuration file, for editors."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import click
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from escalation.config.business_time import Calendar
from escalation.config.company import Company, Days, parse_contact
from escalation.config.holders import Holder
from escalation.config.policy import Policy, SeverityPolicy
from escalation.config.rules.words import one_or_several
from escalation.config.turns import Handover
from escalation.values import as_list
from tocsin.commands.terminal import print_json
from tocsin.config.key_docs import CONFIG, POLICY

MODELS: Mapping[str, type[BaseModel]] = {"policy": Policy, "config": Company}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
KEYS = {**POLICY, **CONFIG}
# Values that are written as one string in a file.
TEXTS: Mapping[type[BaseModel], tuple[str, ...]] = {
    Holder: ("dana", "rotation primary", "rotation primary next", "S012ABCDEF"),
    Handover: ("Monday 00:00",),
    Days: ("2026-12-24..2027-01-02", str(date(2026, 12, 24))),
}
# Keys that a severity inherits from its policy, and no file writes.
HANDED_DOWN = ("severity", "role_names", "cause_categories")


def schema_of(kind: str) -> dict[str, Any]:
    """Build the JSON Schema of `policy` or `config`."""
    model = MODELS[kind]
    return {"$schema": DIALECT, **model.model_json_schema(schema_generator=_FileSchema)}


class _FileSchema(GenerateJsonSchema):
    """Schema of the models as a file writes them: values with a validator of ours in the form that it reads."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_before_schema(schema)
        validator: Any = schema["function"]["function"]
        if validator in (one_or_several, as_list):
            return {"anyOf": [inner["items"], inner]}
        return {"anyOf": [{"type": "string"}, inner]} if validator is parse_contact else inner

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        model = schema["cls"]
        if model in TEXTS:
            return {"type": "string", "examples": list(TEXTS[model])}
        written = super().model_schema(schema)
        if model is SeverityPolicy:
            written["properties"] = {k: v for k, v in written["properties"].items() if k not in HANDED_DOWN}
            written["required"] = [k for k in written["required"] if k not in HANDED_DOWN]
        if model.__name__ in KEYS:
            _describe(written["properties"], model)
        return written


def _describe(properties: dict[str, JsonSchemaValue], model: type[BaseModel]) -> None:
    """Add each key's description, and its default unless that is empty."""
    defaults = model.model_construct().model_dump(mode="json", by_alias=True)
    for key, value in properties.items():
        value.pop("title", None)
        value["description"] = KEYS[model.__name__].get(key, "").replace("`", "")
        if value.pop("default", None) is not None and defaults[key] and not isinstance(defaults[key], dict):
            value["default"] = defaults[key]
    if model is Calendar:
        days = {"type": "array", "items": {"type": "string", "format": "date"}}
        plain = {k: properties["closed"].pop(k) for k in ("type", "additionalProperties", "propertyNames")}
        properties["closed"]["anyOf"] = [plain, days]


@click.command()
@click.argument("kind", type=click.Choice(list(MODELS)))
def schema(kind: str) -> None:
    """Print the JSON Schema of a policy or configuration. For editors; always JSON."""
    print_json(schema_of(kind))
