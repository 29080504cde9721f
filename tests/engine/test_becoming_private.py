"""What people were reminded of, once their incident is private."""

from escalation.engine import cards
from escalation.incident.effects import Invite, Refresh, Remind, RemindPerson
from escalation.incident.events.moves import Acknowledge, MarkSecurity, TakeLead
from escalation.incident.events.outcomes import Delivered
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.leads import Lead
from tests.support.story import Story

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
