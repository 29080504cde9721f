"""What was to be said under a card that somebody deleted: it waits for the new card, whatever was under way then."""

import pytest

from escalation.incident.effects import Effect, Place, PostCard, Remind, Say
from escalation.incident.events.moves import Acknowledge, StartFix
from escalation.incident.events.outcomes import Delivered, MessageGone
from escalation.incident.model import Incident
from tests.support.story import Story


def threaded(incident: Incident) -> list[Effect]:
    """What is still to be posted under the card, in the order in which it was decided."""
    return [e for e in incident.effects if isinstance(e, Say | Remind) and e.place is Place.THREAD]


def ready(incident: Incident) -> list[str]:
    pending = {e.id for e in incident.effects}
    return [e.id for e in threaded(incident) if e.after not in pending]


def with_deleted_card(minutes: float) -> tuple[Story, list[str]]:
    """A P1 whose card was deleted while its messages were still to be sent; and what was, by id."""
    story = Story("P1")
    card = next(e for e in story.incident.effects if isinstance(e, PostCard) and e.place == "channel")
    story.do(Delivered(effect=card.id, channel="CINCIDENTS", ts="1.1", face=story.incident.face))
    story.do(Acknowledge(by="UONCALL"))
    story.do(StartFix(by="UONCALL", text="Rolling back"))
    story.until(minutes)
    waiting = [e.id for e in threaded(story.incident)]
    story.do(MessageGone(effect=waiting[0], shown=card.id))
    return story, waiting


@pytest.mark.parametrize("under_way", [0, 1, 2])
def test_what_follows_a_message_that_was_under_way_waits_for_the_new_card(under_way: int) -> None:
    """A message lands under the deleted card: what comes behind it is not sent where no card is."""
    story, waiting = with_deleted_card(90)
    assert len(waiting) > under_way + 1
    story.do(Delivered(effect=waiting[under_way], channel="CINCIDENTS", ts="2.2", face=story.incident.face))
    assert ready(story.incident) == []
    new = next(e for e in story.incident.effects if isinstance(e, PostCard) and e.place == "channel")
    story.do(Delivered(effect=new.id, channel="CINCIDENTS", ts="3.3", face=story.incident.face))
    sent = []
    while ready(story.incident):
        (next_,) = ready(story.incident)
        sent.append(next_)
        story.do(Delivered(effect=next_, channel="CINCIDENTS", ts=f"4.{len(sent)}", face=story.incident.face))
    assert sent[1:] == [name for name in waiting if name != waiting[under_way]]  # the first tells of the deletion


def test_a_reminder_too_waits_for_the_new_card() -> None:
    """A reminder that was ready when the card was found deleted goes behind the new one, and is not dropped."""
    story = Story("P1")
    card = next(e for e in story.incident.effects if isinstance(e, PostCard) and e.place == "channel")
    story.do(Delivered(effect=card.id, channel="CINCIDENTS", ts="1.1", face=story.incident.face))
    story.until(90)
    while any(isinstance(e, Say) for e in threaded(story.incident)):
        said = next(e for e in threaded(story.incident) if isinstance(e, Say))
        story.do(Delivered(effect=said.id, channel="CINCIDENTS", ts="2.2", face=story.incident.face))
    (reminder,) = threaded(story.incident)
    assert ready(story.incident) == [reminder.id]
    story.do(MessageGone(effect=reminder.id, shown=card.id))
    assert ready(story.incident) == []
