"""Errors of a submitted form, worded for the field that they concern."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError


class InvalidForm(ValueError):
    """A form with invalid values; `errors` maps a field to the message that is shown at it."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(", ".join(errors))


@contextmanager
def form_errors(fields: frozenset[str] = frozenset(), default_field: str = "") -> Iterator[None]:
    """Turn pydantic's ValidationError into InvalidForm while an event is built from what somebody wrote.

    An error that concerns none of the `fields` is shown at `default_field`.
    """
    try:
        yield
    except ValidationError as error:
        raise InvalidForm(_field_errors(error, fields, default_field)) from None


def _field_errors(error: ValidationError, fields: frozenset[str], default_field: str) -> dict[str, str]:
    """Field -> message; errors of other fields than `fields` go to `default_field`."""
    by_field = {str(e["loc"][0]) if e["loc"] else default_field: _message(dict(e)) for e in error.errors()}
    return {name if name in fields else default_field: message for name, message in by_field.items()}


def _message(error: dict[str, Any]) -> str:
    match error["type"]:
        case "string_too_short" | "missing":
            return "Please fill this in."
        case "string_too_long":
            return f"This has {len(error['input']):,} characters; the limit is {error['ctx']['max_length']:,}."
        case "enum" | "literal_error":
            return "Choose one from the list."
        case _:
            return "This value is not valid."
