"""Privacy check of every send: an address, and whether a private incident may be written there."""

from dataclasses import dataclass

from escalation.incident.model import Incident
from escalation.values import PersonId
from workers.delivery.plan import Plan


class Leak(Exception):
    """Raised when words of a security incident were about to be sent where others read. They were not sent."""


@dataclass(frozen=True)
class Address:
    """Destination of a message: a channel, or a person's direct messages (then `person` is set)."""

    channel: str
    person: PersonId = ""


def permitted(incident: Incident, to: Address, plan: Plan, *, neutral: bool = False) -> Plan:
    """Return the plan if the incident may be written there; raises Leak.

    Security incidents fail closed: into their private room, to a person directly, or with neutral words only.
    Everything that is written to a channel passes here.
    """
    room = incident.room
    home = room is not None and room.private and to.channel == room.channel
    direct = bool(to.person) and to.channel.startswith("D")
    if incident.private and not (home or direct or neutral):
        raise Leak(f"{incident.id} to {to.channel}")
    return plan
