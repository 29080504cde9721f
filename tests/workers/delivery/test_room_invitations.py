"""Invitations to a war room: newcomers only, and each refusal is its person's."""

import pytest

from bot.render.card import details
from escalation.incident.state.entries import EntryKind
from tests.support.worker import Works
from workers.channels.failures import Failed

IN, NEW, LEFT, UNKNOWN = "U0DANA0001", "U0MEI00001", "U0OMAR0001", "U0NOBODY"


def a_room(parts: Works) -> str:
    """A room of the bot's, with one member beside it, and a colleague who left the company."""
    room = parts.context.slack.rooms.create(["inc-1"], False, "A room", parts.clock())
    parts.context.slack.rooms.invite(room.channel, [IN])
    parts.control(f"users/{LEFT}", deleted=True)
    return room.channel


def invitations(parts: Works) -> list[str]:
    return [c["args"]["users"] for c in parts.calls("conversations.invite")]


@pytest.mark.parametrize(
    ("people", "invited", "refused"),
    [
        ([IN, NEW], [NEW], ""),
        ([NEW, NEW], [NEW], ""),
        ([IN], [], ""),
        ([], [], ""),
        ([IN, LEFT, NEW], [f"{LEFT},{NEW}"], "cant_invite"),
        ([IN, LEFT], [LEFT], "cant_invite"),
        ([LEFT, UNKNOWN], [f"{LEFT},{UNKNOWN}", LEFT, UNKNOWN], "cant_invite"),
    ],
)
def test_only_newcomers_are_invited(parts: Works, people: list[str], invited: list[str], refused: str) -> None:
    """Members are left out, and each refusal is returned for its person."""
    channel = a_room(parts)
    before = len(invitations(parts))
    refusals = parts.context.slack.rooms.invite(channel, people)
    assert refusals.keys() == {LEFT, UNKNOWN} & set(people)
    assert not refused or refusals[LEFT].error == refused
    assert invitations(parts)[before:] == invited
    members = next(c for c in parts.channels() if c["id"] == channel)["members"]
    assert (NEW in members) is (NEW in people)


def test_a_refused_invitation_stands_on_the_card(parts: Works) -> None:
    """Whom Slack does not let into the war room is named in the timeline and in the card's details, with the reason."""
    parts.fault("conversations.invite", "error", error="user_is_restricted", times=None)
    incident = parts.declare("P0")
    parts.run()
    entries = [e for e in parts.now(incident).timeline if e.kind is EntryKind.REFUSED]
    assert {page.person for page in parts.now(incident).pages} <= {person for e in entries for person in e.people}
    assert {entry.why for entry in entries} == {"guests cannot be in that channel"}
    assert any("Could not invite" in line for line in details(parts.now(incident)))
    assert parts.now(incident).tiers_paged == (1,)


@pytest.mark.parametrize("error", ["already_in_channel", "user_is_restricted"])
def test_one_refusal_for_all_hides_nobody(parts: Works, error: str) -> None:
    """Slack names one error where it refuses a whole list: then each is invited alone."""
    channel = a_room(parts)
    parts.fault("conversations.invite", "error", error=error, times=1)
    parts.context.slack.rooms.invite(channel, [NEW, "U0LENA0001"])
    assert {NEW, "U0LENA0001"} <= set(next(c for c in parts.channels() if c["id"] == channel)["members"])


def test_members_that_slack_does_not_list_are_invited_again(parts: Works) -> None:
    """Without the scope to list them, everybody is named, and those who are in already do no harm."""
    channel = a_room(parts)
    parts.fault("conversations.members", "error", error="missing_scope", times=1)
    parts.context.slack.rooms.invite(channel, [IN])
    parts.fault("conversations.members", "error", error="internal_error", times=1)
    with pytest.raises(Failed, match="internal_error"):
        parts.context.slack.rooms.invite(channel, [IN])
