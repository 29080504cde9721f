"""Who may do what: the rules alone, without Slack."""

import pytest

from bot.render.mrkdwn import plain
from escalation.errors import Refused
from escalation.incident.effects import OpenRoom
from escalation.incident.events.moves import MarkSecurity, Move
from escalation.incident.events.outcomes import RoomOpened
from escalation.incident.model import Incident
from escalation.incident.permissions import Action, Actor, Kind, check
from escalation.incident.state.rooms import Room
from escalation.oncall.roster import Roster
from tests.support.incidents import incident_after

MEMBER = Actor(id="USOMEONE", kind=Kind.MEMBER)
ACTIONS: tuple[Action, ...] = (*Move, "declare", "see")


def may(
    what: Action, actor: Actor, incident: Incident | None = None, *, in_room: bool = False, **roles: tuple[str, ...]
) -> str:
    """Empty, or the words of the refusal; `roles` are those that may do it, with their holders."""
    permissions = {str(what): tuple(roles)} if roles else {}
    try:
        check(what, actor, incident, Roster(holders=roles), permissions, in_room)
    except Refused as refusal:
        return plain(refusal.words)
    return ""


def private(*, room: bool) -> Incident:
    """A security incident, with its private room open or still on its way."""
    incident = incident_after(MarkSecurity(by="USOMEBODY"))
    if not room:
        return incident
    wanted = next(e for e in incident.effects if isinstance(e, OpenRoom) and not e.withdrawn)
    opened = RoomOpened(effect=wanted.id, room=Room(channel="C1", name="room", private=True))
    return incident_after(MarkSecurity(by="USOMEBODY"), opened)


@pytest.mark.parametrize("what", ACTIONS)
@pytest.mark.parametrize("kind", [Kind.GUEST, Kind.BOT, Kind.STRANGER])
def test_only_full_members_do_anything(what: Action, kind: Kind) -> None:
    """Guests, bots and people from connected workspaces are told that they may not, even on a public incident."""
    assert may(what, Actor(id="UX", kind=kind), incident_after())
    assert not may(what, MEMBER, incident_after())


@pytest.mark.parametrize("what", ACTIONS)
def test_a_private_incident_is_for_its_room_and_the_paged(what: Action) -> None:
    """Others are refused; a member of the room and somebody paged for it are not."""
    incident = private(room=True)
    paged = Actor(id=incident.pages[0].person, kind=Kind.MEMBER)
    assert "private" in may(what, MEMBER, incident)
    assert not may(what, MEMBER, incident, in_room=True)
    assert not may(what, paged, incident)


def test_who_will_be_invited_counts_until_the_room_is_open() -> None:
    """The reporter sees the incident at once; in the room's time only the room counts."""
    reporter = Actor(id="UREPORTER", kind=Kind.MEMBER)
    assert not may("see", reporter, private(room=False))
    assert may("see", reporter, private(room=True))


def test_permissions_narrow_a_move_to_roles() -> None:
    """Whoever holds none of the roles is told which they are and who holds them; nothing else is narrowed."""
    told = may(Move.RESOLVE, MEMBER, incident_after(), engineering_manager=("UBOSS",), cto=("UCTO",))
    assert "engineering manager or cto" in told
    assert "@UBOSS" in told
    assert not may(
        Move.RESOLVE,
        Actor(id="UCTO", kind=Kind.MEMBER),
        incident_after(),
        engineering_manager=("UBOSS",),
        cto=("UCTO",),
    )
    assert not may(Move.RESOLVE, MEMBER, incident_after())


def test_a_role_does_not_open_a_private_incident() -> None:
    """Permissions narrow; they never widen."""
    actor = Actor(id="UCTO", kind=Kind.MEMBER)
    assert "private" in may(Move.RESOLVE, actor, private(room=True), cto=("UCTO",))
