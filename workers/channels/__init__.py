"""Ways to reach people. Each is one small module; what all have in common stands here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.render.blockkit import Message
from escalation.values import PersonId


@dataclass(frozen=True)
class Tag:
    """What a message carries so that it is recognised after a lost reply: the delivery's id, and the face it shows."""

    delivery: str
    face: int


@dataclass(frozen=True)
class Sent:
    """Where a message stands, and which face of the incident it shows."""

    channel: str
    ts: str
    face: int


class PageChannel(Protocol):
    """A way to page somebody. Every method raises workers.failures.Failed."""

    def direct(self, person: PersonId) -> str:
        """The address under which this person is reached; Failed of kind PERSON when there is none."""

    def post(self, channel: str, message: Message, tag: Tag) -> Sent:
        """Send, once."""

    def find(self, channel: str, tag: Tag, since: datetime) -> Sent | None:
        """The message of that delivery, if one arrived. None where the other side offers nothing to recognise it by."""
