"""Text independent of the medium: lines of plain strings and marked spans, which Slack and the terminal render."""

import re
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from escalation.values import PersonId, title_of


@dataclass(frozen=True)
class Person:
    """A mention of somebody, in the medium's own form."""

    id: PersonId


@dataclass(frozen=True)
class Time:
    """An instant, shown in the reader's own zone; `clock` omits the date, `seconds` shows them.

    `zone` is for media that do not know their reader's.
    """

    at: datetime
    clock: bool = True
    seconds: bool = False
    zone: str = "UTC"


@dataclass(frozen=True)
class Strong:
    """Text in bold."""

    text: str


class Verbatim(str):
    """Text of a line that is shown as it was written: `_` and the like in it are no markup. Titles are such."""


@dataclass(frozen=True)
class Link:
    """A link with its label."""

    url: str
    label: str


@dataclass(frozen=True)
class Channel:
    """A channel, by id; `name` for media that cannot look it up."""

    id: str
    name: str


Span = str | Person | Time | Strong | Link | Channel
Line = tuple[Span, ...]
Lines = tuple[Line, ...]

# Control characters steer terminals, and marks that reverse the text's direction let one word pass for another.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def local_time(at: datetime, form: str) -> str:
    """Format an instant by its own zone, with the zone's name: `14:02 CET`, or `14:02 UTC+07` where it has none."""
    name = at.strftime("%Z")
    return f"{at.strftime(form)} {f'UTC{name}' if name.startswith(('+', '-')) else name}"


def line(*spans: Span) -> Line:
    """Build a line of spans."""
    return spans


def people(ids: tuple[PersonId, ...]) -> Line:
    """List people: `@a, @b and @c`; `nobody` when there is none."""
    if not ids:
        return ("nobody",)
    out: list[Span] = []
    for i, person in enumerate(ids):
        out += ([] if i == 0 else [" and " if i == len(ids) - 1 else ", "]) + [Person(person)]
    return tuple(out)


def agree(ids: Sized, one: str, several: str) -> str:
    """Return the verb that goes with so many: that of one also for nobody."""
    return several if len(ids) > 1 else one


def clean(raw: str) -> str:
    """Remove invisible characters from outside text; line ends become newlines."""
    return _INVISIBLE.sub("", raw.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Replace control characters by spaces: they must not break a line or move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)


def text(lines: Sequence[Line], names: Mapping[PersonId, str] | None = None) -> str:
    """Render plain text for mail and status pages: people by `names` (or their id), instants in their zone."""
    return "\n".join("".join(clean(_plain(span, names or {})) for span in spans) for spans in lines)


def _plain(span: Span, names: Mapping[PersonId, str]) -> str:
    match span:
        case str():
            return span
        case Strong():
            return span.text
        case Person():
            return title_of(span.id) or names.get(span.id, span.id)
        case Time():
            return local_time(span.at.astimezone(ZoneInfo(span.zone)), "%Y-%m-%d %H:%M")
        case Link():
            return f"{span.label} ({span.url})"
        case Channel():
            return f"#{span.name}"
