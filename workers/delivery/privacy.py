"""Where something goes, and whether it may go there."""

from dataclasses import dataclass

from escalation.incident.model import Incident
from escalation.values import PersonId
from workers.delivery.plan import Plan


class Leak(Exception):
    """Words of a security incident were about to go where others read. They were not sent."""


@dataclass(frozen=True)
class Address:
    """Where something goes: a channel, or somebody's direct messages (then `person` says whose)."""

    channel: str
    person: PersonId = ""


def permitted(incident: Incident, to: Address, plan: Plan, *, neutral: bool = False) -> Plan:
    """Security incidents fail closed: into their private room, to a person directly, or without a word of theirs.

    Everything that is written to a channel passes here.
    """
    room = incident.room
    home = room is not None and room.private and to.channel == room.channel
    direct = bool(to.person) and to.channel.startswith("D")
    if incident.private and not (home or direct or neutral):
        raise Leak(f"{incident.id} to {to.channel}")
    return plan
