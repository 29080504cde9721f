"""Permissions. Pure: the kind of person, the roster and the membership of a room are handed in."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from escalation.errors import Refused
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster
from escalation.text import people
from escalation.values import Frozen, PersonId

Action = Move | Literal["declare", "see"]


class Kind(StrEnum):
    """Kind of workspace account. A stranger belongs to a connected workspace."""

    MEMBER = "member"
    GUEST = "guest"
    BOT = "bot"
    STRANGER = "stranger"


class Actor(Frozen):
    """The requester of a move."""

    id: PersonId
    kind: Kind


OUTSIDE: dict[Kind, str] = {
    Kind.GUEST: "Guests cannot declare, see or handle incidents. Ask a full member of the workspace to do it.",
    Kind.BOT: "Bots and workflows cannot handle incidents here. A person has to do it.",
    Kind.STRANGER: "Only members of this workspace handle its incidents. Tell one of them what you know.",
}
HIDDEN = "This incident is private. Only its responders can view it."


def check(
    what: Action,
    actor: Actor,
    incident: Incident | None,
    roster: Roster,
    permissions: Mapping[str, tuple[str, ...]],
    in_room: bool,
) -> None:
    """Check that the actor may do this; raises Refused with words for them.

    `permissions` maps an action to the roles that may do it, by the configuration; an action it does not name is open
    to every full member. `in_room`: the actor is a member of the incident's private room.
    """
    if actor.kind is not Kind.MEMBER and not _may_answer(actor, incident):
        raise Refused(OUTSIDE[actor.kind])
    if incident and not can_see(actor.id, incident, in_room):
        raise Refused(HIDDEN)
    roles = permissions.get(str(what))
    if roles is None:
        return
    allowed = tuple(dict.fromkeys(p for role in roles for p in roster.of(role)))
    if actor.id not in allowed:
        named = " or ".join(role.replace("_", " ") for role in roles)
        raise Refused((f"Only the {named} may do that here. Now that is ", *people(allowed), "."))


def _may_answer(actor: Actor, incident: Incident | None) -> bool:
    """True for a guest, or a colleague of a connected workspace, who was paged: whoever can be paged can answer."""
    return actor.kind is not Kind.BOT and incident is not None and any(p.person == actor.id for p in incident.pages)


def can_see(person: PersonId, incident: Incident, in_room: bool) -> bool:
    """True if somebody may see an incident. Until a private room is open, those to be invited count as in it."""
    if not incident.private or in_room or any(p.person == person for p in incident.pages):
        return True
    return incident.room is None and person in incident.people()
