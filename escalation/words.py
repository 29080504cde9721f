"""Text without a medium: a line is plain strings and a few marked spans, which Slack and the terminal render."""

from dataclasses import dataclass
from datetime import datetime

from escalation.values import PersonId


@dataclass(frozen=True)
class Person:
    """Somebody, to be mentioned by the medium's own means."""

    id: PersonId


@dataclass(frozen=True)
class Time:
    """An instant, to be shown in the reader's own zone; `clock` leaves the date away."""

    at: datetime
    clock: bool = True


@dataclass(frozen=True)
class Strong:
    """Text to be noticed first."""

    text: str


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


def line(*spans: Span) -> Line:
    return spans


def people(ids: tuple[PersonId, ...]) -> Line:
    """`@a, @b and @c`; `nobody` when there is none."""
    if not ids:
        return ("nobody",)
    out: list[Span] = []
    for i, person in enumerate(ids):
        out += ([] if i == 0 else [" and " if i == len(ids) - 1 else ", "]) + [Person(person)]
    return tuple(out)
