"""The clock of a required review: quiet until the next working morning, then its owner, its lead, the manager."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.card import card
from escalation.config.business_time import Calendar
from escalation.config.notify import MeetingKind
from escalation.config.rules.reviews import ReviewSection
from escalation.engine.state_machine import useful_moves
from escalation.errors import Refused
from escalation.incident.closing.reviews import ReviewTask, missing
from escalation.incident.effects import Reminded
from escalation.incident.events.moves import MarkSecurity, Move, PlanReview, Reopen, Resolve, Reviewed, RootCause
from escalation.incident.events.news import ReviewSeen
from escalation.incident.events.outcomes import PersonRefused
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.messages.reminders import reminder
from escalation.text import text
from tests.support.story import START, Story, roster_with

DAY = 24 * 60.0
OWNER = "UONCALL"
DONE = Resolve(by=OWNER, summary="s", resolution="r")
ALL = ReviewSeen(written=tuple(ReviewSection), commitments=1)
RESOLVED = datetime(2024, 12, 18, 15, 50, tzinfo=UTC)  # a Wednesday


def resolved(severity: str = "P0", minute: float = 20, event: Resolve = DONE, **changes: Any) -> Story:
    return Story(severity, **({"service": "checkout"} | changes)).until(minute).do(event)


def asked(story: Story) -> list[tuple[datetime, tuple[str, ...]]]:
    return [(entry.at, entry.people) for entry in reminders(story)]


def reminders(story: Story) -> list[Entry]:
    return [entry for entry in story.incident.timeline if entry.kind is EntryKind.REVIEW_DUE]


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2024, 12, day, hour, minute, tzinfo=UTC)


def test_nobody_is_asked_before_the_next_working_morning() -> None:
    """At its opening whoever resolved the incident is asked, and nobody was before."""
    story = resolved()
    assert not asked(story.until(17 * 60))
    assert asked(story.until(18 * 60)) == [(at(19, 9), (OWNER,))]


def test_an_overdue_review_goes_from_its_owner_to_the_lead_and_to_the_manager() -> None:
    """The owner is asked, reminded before it is due, and once it is overdue the policy's roles are told in turn."""
    story = resolved().until(14 * DAY)
    assert asked(story) == [
        (at(19, 9), (OWNER,)),
        (at(20, 9), (OWNER,)),
        (at(20, 15, 50), (OWNER, "UCHECKOUT")),
        (at(23, 15, 50), (OWNER, "UMANAGER")),
    ]
    assert story.incident.review_by == RESOLVED + timedelta(hours=48)


@pytest.mark.parametrize(
    ("resolved_at", "ask", "overdue"),
    [
        (at(20, 15), at(23, 9), at(24, 9)),  # a Friday: the 48 hours end on Sunday, nobody is chased on a weekend
        (at(18, 3), at(18, 9), at(20, 9)),  # at night: the morning after it, not that of the day after
        (at(24, 16), at(27, 9), at(30, 9)),  # two holidays in between
    ],
)
def test_it_is_all_in_working_hours(resolved_at: datetime, ask: datetime, overdue: datetime) -> None:
    """Weekends, nights and holidays move it to the next opening, and a working day stays between question and lead."""
    holidays = Calendar(closed={at(25, 0).date(): "Christmas", at(26, 0).date(): "Boxing Day"})
    story = resolved(start=resolved_at - timedelta(minutes=20), calendar=holidays).until(14 * DAY)
    times = dict(reversed(asked(story)))
    assert min(times) == ask
    assert min(when for when, people in times.items() if "UCHECKOUT" in people) == overdue
    assert all(holidays.next_opening(when) == when for when in times)


def test_the_owner_s_own_morning_counts() -> None:
    """Somebody in another zone, with other hours, is asked when they begin to work."""
    tokyo = Calendar(timezone="Asia/Tokyo", hours="10:00-18:00")
    story = resolved(roster=roster_with_calendars({OWNER: tokyo})).until(DAY)
    assert asked(story) == [(at(19, 1), (OWNER,))]


def roster_with_calendars(calendars: dict[str, Calendar]) -> Any:
    return replace(roster_with(), calendars=calendars)


@pytest.mark.parametrize("ending", [Reviewed(by=OWNER), Reopen(by=OWNER)])
def test_a_review_that_was_held_or_an_incident_that_was_reopened_asks_nobody(ending: Any) -> None:
    """Its checkpoints are moot, its messages lose their buttons."""
    story = resolved().until(18 * 60)
    assert Reminded.REVIEW in story.incident.reminders
    story.do(ending)
    assert Reminded.REVIEW not in story.incident.reminders
    assert not any(c.kind is CheckpointKind.REVIEW for c in story.incident.checkpoints)
    count = len(asked(story))
    assert len(asked(story.until(14 * DAY))) == count


def test_a_review_that_has_everything_is_the_owner_s_alone() -> None:
    """With owner, meeting, text and action items nobody else is told; the owner is reminded to mark it as done."""
    story = resolved().until(18 * 60).do(ALL)
    assert not missing(story.incident)
    assert {people for _, people in asked(story.until(14 * DAY))} == {(OWNER,)}
    assert "Mark it as done" in text(reminder(story.incident, Reminded.REVIEW, OWNER))


def test_the_reminder_and_the_card_say_what_is_missing_and_until_when() -> None:
    """Each thing is ticked as soon as it exists, in the messages that stand."""
    story = resolved().until(18 * 60)
    said = text(reminder(story.incident, Reminded.REVIEW, OWNER))
    assert "due by 2024-12-20 15:50" in said
    assert "still to be written: incident summary, root cause analysis" in said
    assert "no action item" in said
    assert "the review is yours" in said
    assert "*Missing:* the text, action items" in str(card(story.incident, ()).blocks)
    face = story.incident.face
    story.do(ReviewSeen(written=(ReviewSection.SUMMARY,), commitments=2))
    assert story.incident.face > face
    said = text(reminder(story.incident, Reminded.REVIEW, OWNER))
    assert "still to be written: root cause analysis" in said
    assert "✅ Follow-ups: 2 action items" in said


@pytest.mark.parametrize(
    ("story", "owner"),
    [
        (resolved(event=DONE.model_copy(update={"review_owner": "UBACKUP"})), "UBACKUP"),
        (resolved(event=DONE.model_copy(update={"by": "machine:Alertmanager"})), "UONCALL"),
        (resolved().do(PlanReview(by="UBACKEND", owner="UBACKEND")), "UBACKEND"),
    ],
)
def test_the_owner_is_chosen_in_the_form_or_later(story: Story, owner: str) -> None:
    """Whom the form names, else who resolved it, never a machine; anybody can be put in their place."""
    assert asked(story.until(DAY)) == [(at(19, 9), (owner,))]


def test_an_owner_who_left_is_replaced_and_the_review_says_so() -> None:
    """A message that cannot reach them goes to the commander, and an owner is missing until one is set."""
    story = resolved(event=DONE.model_copy(update={"review_owner": "UGONE"})).until(18 * 60)
    told = next(e for e in story.caused.values() if e.kind == "remind_person" and e.person == "UGONE")
    story.do(PersonRefused(effect=told.id, why="account_inactive"))
    assert ReviewTask.OWNER in missing(story.incident)
    assert any(e.kind == "remind_person" and e.person == OWNER for e in story.caused.values())
    story.do(PlanReview(by=OWNER, owner="UBACKUP"))
    assert ReviewTask.OWNER not in missing(story.incident)
    assert any(e.kind == "remind_person" and e.person == "UBACKUP" for e in story.caused.values())


def test_after_an_outage_each_is_told_once() -> None:
    """The owner is asked late, and nobody else is told in the same breath: a working day is theirs first."""
    story = resolved().jump(6 * DAY)
    assert [people for _, people in asked(story)] == [(OWNER,)]
    story.until(14 * DAY)
    assert [people for _, people in asked(story)][-2:] == [(OWNER, "UCHECKOUT"), (OWNER, "UMANAGER")]


def test_nobody_outside_a_private_incident_is_told_of_its_review() -> None:
    """The lead hears nothing who was not involved in it."""
    story = resolved(minute=0.5).do(Reopen(by=OWNER)).do(MarkSecurity(by=OWNER)).do(DONE).until(20 * DAY)
    outsiders = {"UCHECKOUT"} - story.incident.people()
    assert outsiders
    assert asked(story)
    assert not outsiders & {person for _, people in asked(story) for person in people}


@pytest.mark.parametrize("changes", [{"drill": True}, {"severity": "P2"}])
def test_no_review_is_asked_for_where_none_is_required(changes: dict[str, Any]) -> None:
    """Of a drill, and of what the policy does not name."""
    story = resolved(**changes).until(14 * DAY)
    assert not asked(story)
    assert Move.PLAN_REVIEW not in useful_moves(story.incident)
    with pytest.raises(Refused, match="requires no review"):
        story.do(PlanReview(by=OWNER, owner="UBACKUP"))


# The meeting -------------------------------------------------------------------------------------------------------


def test_the_meeting_is_named_in_the_thread() -> None:
    """On the next working day, an hour after the opening, with the resolution in one post."""
    story = resolved()
    [plan] = [e for e in story.incident.timeline if e.kind is EntryKind.REVIEW_PLANNED]
    assert story.incident.review_work
    assert story.incident.review_work.meeting == at(19, 10)
    assert plan.fields == {"meeting": at(19, 10).isoformat()}


def test_the_meeting_is_moved_by_one_click() -> None:
    """To the next hour that suits; the event in people's calendars follows, under its own id."""
    story = resolved(invitations=(MeetingKind.REVIEW,))
    before = story.incident.invited[0]
    story.do(PlanReview(by=OWNER, later=True))
    [after] = story.incident.invited
    assert (after.n, after.sequence) == (before.n, before.sequence + 1)
    assert (before.starts, after.starts) == (at(19, 10), at(19, 11))


def test_no_meeting_needed_takes_a_reason_and_calls_it_off() -> None:
    """What was in people's calendars is withdrawn, and a meeting is no longer missing."""
    story = resolved(invitations=(MeetingKind.REVIEW,)).do(PlanReview(by=OWNER, no_meeting="done in the stand-up"))
    assert story.incident.invited[0].cancelled
    assert ReviewTask.MEETING not in missing(story.incident)
    story.do(PlanReview(by=OWNER, starts=at(19, 14)))
    assert [invitation.cancelled for invitation in story.incident.invited] == [True, False]


def test_a_meeting_in_the_past_is_refused() -> None:
    """With words for whoever typed it."""
    with pytest.raises(Refused, match="has passed"):
        resolved().do(PlanReview(by=OWNER, starts=START))


# Recurrences -------------------------------------------------------------------------------------------------------


def test_a_recurrence_requires_a_review_and_the_thread_says_of_what() -> None:
    """A P2 needs none; one of the same service and category as an earlier incident does."""
    repeated = RootCause(by=OWNER, cause="The pool", category="database issues", repeats="INC-20241201-001")
    story = Story("P2", service="checkout").until(20).do(repeated)
    [entry] = [e for e in story.incident.timeline if e.kind is EntryKind.RECURRED]
    assert entry.fields == {"repeats": "INC-20241201-001", "category": "Database issues"}
    assert "Repeats INC-20241201-001" in str(card(story.incident, ()).blocks)
    story.do(DONE)
    assert story.incident.review_by
    assert asked(story.until(DAY))


def test_an_unknown_cause_category_is_refused_with_those_there_are() -> None:
    """Nothing is recorded then."""
    with pytest.raises(Refused, match="Configuration errors"):
        Story("P0").do(RootCause(by=OWNER, cause="x", category="Gremlins"))


def test_the_category_may_be_found_by_the_review_itself() -> None:
    """A recurrence that comes to light after the resolution starts the review's clock then."""
    story = resolved("P2").until(2 * DAY)
    story.do(PlanReview(by=OWNER, category="Application bugs", repeats="INC-20241201-001"))
    assert story.incident.cause_category == "Application bugs"
    assert story.incident.review_by
    assert asked(story.until(5 * DAY))[0] == (at(23, 9), (OWNER,))


# At any time -------------------------------------------------------------------------------------------------------


@given(
    minutes=st.integers(0, 14 * 24 * 60),
    stops=st.lists(st.integers(0, 20 * 24 * 60), max_size=6),
    speed=st.sampled_from([1.0, 60.0]),
)
def test_the_clock_is_never_early_and_tells_each_role_once(minutes: int, stops: list[int], speed: float) -> None:
    """Whenever it is resolved, however late work is done: no question before the morning, no role twice."""
    story = resolved(start=START + timedelta(minutes=minutes), speed=speed)
    done, calendar = story.now, story.incident.calendar
    morning = done + (calendar.next_morning(done) - done) / speed
    for stop in sorted(stops):
        story.jump(20 + stop)
    story.until(40 * DAY)
    assert all(when >= morning for when, _ in asked(story))
    due = story.incident.review_by
    assert due
    for role in ("UCHECKOUT", "UMANAGER"):
        told = [when for when, people in asked(story) if role in people]
        assert len(told) == 1
        assert told[0] >= due
    assert not [c for c in story.incident.checkpoints if c.kind is CheckpointKind.REVIEW]
