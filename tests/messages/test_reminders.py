"""Reminders, the list of communications, and what stakeholders read: messages that are edited, seen in Slack."""

from collections.abc import Callable
from datetime import timedelta
from typing import Self

import pytest

from escalation.engine.state_machine import Event
from escalation.errors import Refused
from escalation.incident.effects import Reminded, SendPage
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    FixApplied,
    PostUpdate,
    Resolve,
    Snooze,
    TakeLead,
)
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.leads import Lead
from tests.scenarios.test_noise import Evening
from tests.support.bot import Json
from tests.support.story import Story
from tests.support.worker import Works

OMAR, LENA = "U0OMAR0001", "U0LENA0001"
RESOLVE = Resolve(by=OMAR, summary="It works", resolution="Rolled back")


class Night(Evening):
    """An evening of which one reads what stands in Slack."""

    def __init__(self, parts: Works, severity: str = "P0") -> None:
        super().__init__(parts, "kars", severity)
        self.parts = parts

    def do(self, *events: Event) -> Self:
        for event in events:
            self.parts.service.handle(self.incident.id, event)
            self.parts.run()
        return self

    def standing(self, words: str, where: Callable[[str], bool] = lambda channel: True) -> list[Json]:
        """Reminders and lists that hold these words now."""
        found = (m for m in self.parts.messages() if words in str(m) and where(m["channel"]))
        return [m for m in found if m.get("blocks") and m["blocks"][0]["block_id"] == "told"]

    def on_cards(self, words: str) -> list[Json]:
        return [m for m in self.parts.messages() if words in str(m) and "'card-head'" in str(m)]

    def in_room(self, words: str) -> list[Json]:
        room = self.incident.room
        return self.standing(words, lambda channel: room is not None and channel == room.channel)

    def directly(self, words: str) -> list[Json]:
        return self.standing(words, lambda channel: channel.startswith("D"))


@pytest.fixture
def night(parts: Works) -> Night:
    return Night(parts)


def asks_for_an_update(message: Json) -> bool:
    return "'action_id': 'update'" in str(message) and "Progress update" in str(message)


# Reminders -------------------------------------------------------------------------------------------------------


def test_one_reminder_stands_in_the_room_however_often_it_was_repeated(night: Night) -> None:
    """A repeated reminder is a new message, and the former one is deleted."""
    night.do(Acknowledge(by=OMAR)).until(31)
    (first,) = filter(asks_for_an_update, night.in_room("Progress update due"))
    night.until(61)
    (second,) = filter(asks_for_an_update, night.in_room("Progress update overdue"))
    assert second["ts"] > first["ts"]
    night.until(130)
    assert len([*filter(asks_for_an_update, night.in_room("Progress update"))]) == 1


def test_an_overdue_reminder_is_edited_and_its_leader_told_once(night: Night) -> None:
    """Ten minutes after it was due, the same message says overdue, and one direct message goes to whoever leads."""
    night.do(Acknowledge(by=OMAR)).until(31)
    (due,) = filter(asks_for_an_update, night.in_room("Progress update due"))
    night.until(41)
    (overdue,) = filter(asks_for_an_update, night.in_room("Progress update overdue"))
    assert overdue["ts"] == due["ts"]
    assert night.on_cards("*Progress update overdue* since")
    night.until(130)
    (told,) = filter(asks_for_an_update, night.directly("Progress update overdue"))
    assert "you acknowledged it" in str(told)


def test_an_update_ends_its_reminder_everywhere(night: Night) -> None:
    """Once the update was posted, the reminders say so and have no buttons."""
    night.do(Acknowledge(by=OMAR)).until(41)
    night.do(PostUpdate(by=OMAR, progress="Rolling back"))
    assert not [*filter(asks_for_an_update, night.standing("Progress update"))]
    assert len(night.standing("Progress update posted")) == 2


def test_without_a_room_a_reminder_stands_in_the_thread(parts: Works) -> None:
    """A P1 has no war room: one message under its card."""
    night = Night(parts, "P1").do(Acknowledge(by=OMAR)).until(200)
    (reminder,) = night.standing("Progress update", lambda channel: not channel.startswith("D"))
    card = night.incident.card()
    assert card
    assert reminder["thread_ts"] == card.ts


def test_a_reminder_that_slack_does_not_let_us_delete_is_reduced_to_a_line(night: Night) -> None:
    """No second pair of buttons stays, even where messages cannot be deleted."""
    night.parts.fault("chat.delete", "error", error="cant_delete_message", times=None)
    night.do(Acknowledge(by=OMAR)).until(61)
    assert len([*filter(asks_for_an_update, night.in_room("Progress update"))]) == 1
    assert [m for m in night.parts.messages() if "A newer message has taken the place of this one" in str(m)]


def test_a_fix_that_is_watched_is_asked_about_in_one_message(night: Night) -> None:
    """Whether it is stable is asked anew each half hour in the room, and of whoever leads once."""
    night.do(Acknowledge(by=OMAR), FixApplied(by=OMAR)).until(95)
    assert len(night.in_room("Is it stable?")) == len(night.directly("Is it stable?")) == 1


# Snooze ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_snoozed_reminder_comes_again_when_its_time_is_over(minutes: int) -> None:
    """It is an event of the record, and the reminder returns then, not before."""
    story = Story().do(Acknowledge(by="UONCALL")).until(31)
    story.do(Snooze(by="UONCALL", length=timedelta(minutes=minutes), about=Reminded.UPDATE))
    (entry,) = (e for _, e in story.entries(EntryKind.SNOOZED))
    assert (entry.by, entry.fields["what"]) == ("UONCALL", "update")
    story.until(31 + minutes)
    assert story.minutes(EntryKind.UPDATE_DUE) == [30, 31 + minutes]
    assert story.told(EntryKind.SILENCE) == []


def test_a_snooze_silences_no_page_and_no_escalation() -> None:
    """Pages, their repeats and every checkpoint of the policy stand as if nobody had snoozed."""
    snoozed, awake = (Story().until(31) for _ in range(2))
    snoozed.do(Snooze(by="UPAULA", length=timedelta(hours=1)))
    for story in (snoozed, awake):
        story.until(250)
    assert snoozed.tiers() == awake.tiers()
    assert snoozed.fired() == awake.fired()
    assert snoozed.minutes(EntryKind.REPEATED) == awake.minutes(EntryKind.REPEATED)
    pages = [sum(isinstance(e, SendPage) for e in story.caused.values()) for story in (snoozed, awake)]
    assert pages[0] == pages[1]


def test_a_snooze_shows_on_the_reminder_and_the_card_stays_overdue(night: Night) -> None:
    """Whoever reads it sees until when and by whom; the card goes on saying that the update is overdue."""
    night.do(Acknowledge(by=OMAR)).until(31)
    night.do(Snooze(by=OMAR, length=timedelta(minutes=15), about=Reminded.UPDATE))
    assert "Snoozed until" in str(night.in_room("Progress update due")[-1])
    assert "*Progress update overdue* since" in str(night.on_cards("reminder snoozed until"))


def test_snoozed_communications_come_back() -> None:
    """An overdue communication is told once; snoozed, it is told again then, if it is still not published."""
    story = Story().do(Acknowledge(by="UONCALL")).until(16)
    story.do(Snooze(by="UONCALL", length=timedelta(minutes=30))).until(45)
    assert story.minutes(EntryKind.OVERDUE) == [15, 30]
    story.until(46)
    assert story.minutes(EntryKind.OVERDUE) == [15, 30, 46]


def test_what_is_not_due_cannot_be_snoozed() -> None:
    """The answer says so, and nothing changes."""
    story = Story()
    with pytest.raises(Refused, match="nothing to snooze"):
        story.do(Snooze(by="UONCALL", length=timedelta(minutes=15)))
    assert story.due(CheckpointKind.UPDATE) == [30]


# Communications ----------------------------------------------------------------------------------------------------


def test_communications_are_one_list_with_whoever_looks_after_them(night: Night) -> None:
    """Nothing about them is posted in the thread; the list goes to whoever acknowledged, then to the lead."""
    night.until(3)
    assert not night.directly("📣")
    night.do(Acknowledge(by=OMAR))
    (first,) = night.directly("*Communications*")
    assert "there is no communications lead; you acknowledged it" in str(first)
    night.do(TakeLead(by=LENA, lead=Lead.COMMUNICATIONS))
    (second,) = night.directly("*Communications*")
    assert "you are the communications lead" in str(second)
    assert len(night.directly(f"<@{LENA}> looks after the communications now")) == 1
    card = night.incident.card()
    assert card
    thread = [m for m in night.parts.messages() if m.get("thread_ts") == card.ts != m["ts"]]
    assert not [m for m in thread if "📣" in str(m)]


def test_a_task_that_is_overdue_or_done_is_edited_where_it_stands(night: Night) -> None:
    """The list is posted anew when a deadline was missed, so that it is noticed; an answer edits it."""
    night.do(Acknowledge(by=OMAR))
    (before,) = night.directly("*Communications*")
    night.until(16)
    (overdue,) = night.directly("*Communications*")
    assert overdue["ts"] > before["ts"]
    assert "*Customer update (status page)*: *overdue* since" in str(overdue)
    status_page = next(o.n for o in night.incident.communications if "status" in o.plan.id)
    night.do(AnswerCommunication(by=OMAR, n=status_page, answer=Answer.PUBLISHED))
    (done,) = night.directly("*Communications*")
    assert done["ts"] == overdue["ts"]
    assert f"*Customer update (status page)*: published by <@{OMAR}>" in str(done)
    assert night.on_cards("• Customer update (status page): published by")


def test_a_missed_deadline_that_nobody_acknowledged_goes_to_whom_the_policy_names(night: Night) -> None:
    """Nobody is left guessing: whoever is on call gets the list, and why."""
    night.until(16)
    (told,) = night.directly("*Communications*")
    assert "nobody has acknowledged it yet" in str(told)


def test_stakeholders_are_notified_at_the_pace_that_they_were_promised(night: Night) -> None:
    """An early update edits what they read; one at its time is a post, and so is the resolution."""
    night.do(Acknowledge(by=OMAR)).until(7)
    night.do(PostUpdate(by=OMAR, progress="Restarting", impact="Half can pay"))
    assert night.posts()["#stakeholders"] == 1
    assert [m for m in night.parts.messages() if "Update on" in str(m) and "Half can pay" in str(m)]
    night.until(28)
    night.do(PostUpdate(by=OMAR, progress="Restarted"))
    assert night.posts()["#stakeholders"] == 2
    night.do(RESOLVE)
    assert night.posts()["#stakeholders"] == 3
