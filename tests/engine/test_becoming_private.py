"""What people were reminded of, once their incident is private."""

from escalation.engine import cards
from escalation.incident.effects import (
    ArchiveRoom,
    Invite,
    OpenMeeting,
    OpenRoom,
    Refresh,
    Remind,
    RemindPerson,
    SetTopic,
    Tell,
)
from escalation.incident.events.moves import Acknowledge, MarkSecurity, Reopen, Resolve, Reviewed, TakeLead
from escalation.incident.events.outcomes import Delivered, RoomOpened
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from escalation.incident.state.rooms import Room
from tests.support.story import Story, roster_with

SECURITY = MarkSecurity(by="UONCALL", why="a leak")


def reminded(**sent: str) -> Story:
    """Omar acknowledged a P0 and Paula looks after its communications; both are overdue. `sent`: whose stand there."""
    story = Story("P0").do(Acknowledge(by="UONCALL")).do(TakeLead(by="USPEAKER", lead=Lead.COMMUNICATIONS)).until(45)
    for effect in story.incident.effects:
        if isinstance(effect, RemindPerson) and effect.person in sent:
            channel, ts = sent[effect.person], f"{len(story.incident.copies) + 1}.0"
            event = Delivered(effect=effect.id, channel=channel, ts=ts, face=story.incident.face, person=effect.person)
            story.do(event)
    return story


def test_a_reminder_to_somebody_who_is_not_of_it_is_redacted() -> None:
    """A title in the messages of whoever looked after the communications would stay there to be read."""
    story = reminded(USPEAKER="DSPEAKER", UONCALL="DONCALL").do(SECURITY)
    copies = {c.id: c for c in story.incident.copies if c.person}
    assert {c.person for c in copies.values()} == {"USPEAKER", "UONCALL"}
    hidden = {c.id for c in copies.values() if c.redacted}
    assert {copies[id].person for id in hidden} == {"USPEAKER"}
    assert all(copies[id].final for id in hidden)
    last = {e.copy_id for e in story.incident.effects if isinstance(e, Refresh) and e.id == cards.final_id(e.copy_id)}
    assert hidden <= last
    [(_, exposed)] = story.entries(EntryKind.EXPOSED)
    assert exposed.people == ("USPEAKER",)


def test_whoever_a_reminder_still_reaches_is_let_in() -> None:
    """It waited for Slack, and says what it is about: whoever reads it has to be able to act."""
    story = reminded()
    waiting = {e.person for e in story.incident.effects if isinstance(e, RemindPerson)}
    assert "USPEAKER" in waiting
    story.do(SECURITY)
    assert "USPEAKER" in {p for e in story.incident.effects if isinstance(e, Invite) for p in e.people}
    assert not [e for e in story.incident.effects if isinstance(e, Remind)]


def test_one_that_is_over_pages_nobody_and_tells_the_security_team() -> None:
    """It stays closed: its new room has no call, and the team hears directly, for a page of what is over is moot."""
    story = Story("P0").do(Acknowledge(by="UONCALL")).until(30).do(Resolve(by="UONCALL", summary="x", resolution="y"))
    pages = story.until(60).incident.pages
    story.do(SECURITY)
    effects = story.incident.effects
    assert (story.incident.status, story.incident.private, story.incident.pages) == (Status.RESOLVED, True, pages)
    assert {e.person for e in effects if isinstance(e, Tell)} >= {"USEC1", "USEC2"}
    assert {"USEC1", "USEC2"} <= {p for e in effects if isinstance(e, Invite) for p in e.people}
    assert [e.private for e in effects if isinstance(e, OpenRoom) and not e.withdrawn] == [True]
    assert not [e for e in effects if isinstance(e, OpenMeeting)]


def test_without_a_security_team_the_first_tier_is_told() -> None:
    """Somebody has to hear of it."""
    story = (
        Story("P0", roster_with(security_team=()))
        .do(Acknowledge(by="UBACKUP"))
        .do(Resolve(by="UBACKUP", summary="x", resolution="y"))
    )
    story.until(10).do(MarkSecurity(by="UBACKUP"))
    assert {e.person for e in story.incident.effects if isinstance(e, Tell)} >= {"UONCALL"}


def test_what_stands_in_an_archived_room_is_said_to_stay() -> None:
    """Slack changes nothing there, so somebody has it deleted; also where a reopened one has another room by now."""
    for reopened in (False, True):
        story = Story("P0").until(1)
        opened = next(e for e in story.incident.effects if isinstance(e, OpenRoom))
        story.do(RoomOpened(effect=opened.id, room=Room(channel="COLD", name="inc-1", private=False)))
        story.do(Resolve(by="UONCALL", summary="x", resolution="y")).until(10).do(Reviewed(by="UONCALL"))
        archive = next(e for e in story.incident.effects if isinstance(e, ArchiveRoom))
        story.do(Delivered(effect=archive.id, channel="COLD", ts="", face=story.incident.face))
        if reopened:
            story.do(Reopen(by="UONCALL", why="again"))
        story.do(SECURITY)
        [(_, exposed)] = story.entries(EntryKind.EXPOSED)
        assert exposed.fields["archived"] == "COLD"
        assert "COLD" not in exposed.fields["channels"]
        assert not [e for e in story.incident.effects if isinstance(e, SetTopic) and e.channel == "COLD"]
