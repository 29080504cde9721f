"""Words for what was filled in wrongly, at the field where it stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError


class InvalidForm(ValueError):
    """What somebody filled in cannot be taken; `errors` maps a field to the words that are shown at it."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(", ".join(errors))


@contextmanager
def filled_in(fields: frozenset[str] = frozenset(), otherwise: str = "") -> Iterator[None]:
    """Around the making of an event from what somebody wrote: what pydantic refuses is InvalidForm, in words."""
    try:
        yield
    except ValidationError as error:
        raise InvalidForm(_field_errors(error, fields, otherwise)) from None


def _field_errors(error: ValidationError, fields: frozenset[str], otherwise: str) -> dict[str, str]:
    """Field -> words. What concerns none of the `fields` is said at the field `otherwise`."""
    named = {str(e["loc"][0]) if e["loc"] else otherwise: _say(dict(e)) for e in error.errors()}
    return {name if name in fields else otherwise: said for name, said in named.items()}


def _say(error: dict[str, Any]) -> str:
    match error["type"]:
        case "string_too_short" | "missing":
            return "Please fill this in."
        case "string_too_long":
            return f"This has {len(error['input']):,} characters; the limit is {error['ctx']['max_length']:,}."
        case "enum" | "literal_error":
            return "Choose one from the list."
        case _:
            return "This cannot be used as it stands."
