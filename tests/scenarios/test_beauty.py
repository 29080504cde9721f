"""The Beauty-with-AI policy, every severity to every end: at which minute what fires, and whom it reaches."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from escalation.config.business_time import Calendar
from escalation.incident.effects import Place
from escalation.incident.events import moves
from escalation.incident.state.entries import EntryKind
from escalation.times import parse_duration
from tests.support.story import START, Story

HOUR, DAY = 60, 1440
ACK = moves.Acknowledge(by="UONCALL")
CAUSE = moves.RootCause(by="UONCALL", cause="A bad deployment")
WORKAROUND = moves.Workaround(by="UONCALL", text="Rolled back")
FIX = moves.FixApplied(by="UONCALL")
FAILED = moves.FixFailed(by="UONCALL")
RESOLVE = moves.Resolve(by="UONCALL", summary="Bad deployment", resolution="Reverted")
CANCEL = moves.Cancel(by="UONCALL")
REOPEN = moves.Reopen(by="UREPORTER")
REVIEWED = moves.Reviewed(by="UMANAGER", text="Slower rollouts")
OUTAGE = moves.Edit(by="UONCALL", outage=True)
MAJOR = moves.Edit(by="UONCALL", major_impact=True)
PUBLISHED = moves.AnswerCommunication(by="UONCALL", n=2, answer=moves.Answer.PUBLISHED)
Script = list[tuple[float, moves.MoveEvent]]
Log = list[tuple[float, str]]


def told(severity: str, script: Script, until: float, start: datetime = START, **facts: Any) -> Story:
    story = Story(severity, policy="beauty", start=start, **facts)
    for minute, event in script:
        story.until(minute).do(event)
    return story.until(until)


P0_BEGINS: Log = [(0, "page UONCALL"), (0, "stakeholders first"), (0, "room")]
P0_STORIES: list[tuple[str, Script, dict[str, Any], Log]] = [
    (
        "nobody does anything",
        [],
        {},
        [(5, "page UMANAGER"), (10, "page UCTO"), (HOUR, "page UMANAGER"), (4 * HOUR, "page UCTO")],
    ),
    (
        "acknowledged after 5 minutes",
        [(6, ACK)],
        {},
        [(5, "page UMANAGER"), (HOUR, "page UMANAGER"), (4 * HOUR, "page UCTO")],
    ),
    ("acknowledged, no cause, no workaround", [(4, ACK)], {}, [(HOUR, "page UMANAGER"), (4 * HOUR, "page UCTO")]),
    ("root cause in an hour", [(4, ACK), (59, CAUSE)], {}, [(4 * HOUR, "page UCTO")]),
    ("workaround in an hour", [(4, ACK), (59, WORKAROUND)], {}, [(4 * HOUR, "page UCTO")]),
    ("resolved in 4 hours", [(4, CAUSE), (239, RESOLVE)], {}, [(239, "stakeholders restored")]),
    (
        "the fix holds",
        [(4, CAUSE), (50, FIX), (80, RESOLVE)],
        {},
        [(80, "monitored"), (80, "stakeholders restored")],
    ),
    ("the fix fails", [(4, CAUSE), (50, FIX), (55, FAILED)], {}, [(55, "page UMANAGER"), (4 * HOUR, "page UCTO")]),
    (
        "the fix is watched over 4 hours, and fails",
        [(4, CAUSE), (235, FIX), (250, FAILED)],
        {},
        [(250, "page UMANAGER"), (250, "page UCTO")],
    ),
    ("cancelled", [(3, CANCEL)], {}, [(3, "stakeholders restored")]),
    (
        "reopened",
        [(4, CAUSE), (20, RESOLVE), (100, REOPEN)],
        {},
        [
            (20, "stakeholders restored"),
            (100, "page UONCALL"),
            (100, "stakeholders first"),
            (105, "page UMANAGER"),
            (110, "page UCTO"),
            (160, "page UMANAGER"),
        ],
    ),
    ("major impact said at once", [(4, CAUSE)], {"major_impact": True}, [(0, "page UCEO"), (4 * HOUR, "page UCTO")]),
    ("major impact said later", [(4, CAUSE), (33, MAJOR)], {}, [(33, "page UCEO"), (4 * HOUR, "page UCTO")]),
    (
        "an outage said at once",
        [(4, CAUSE), (16, PUBLISHED), (60, RESOLVE), (90, REVIEWED)],
        {"outage": True},
        [
            (15, "customers first"),
            (60, "stakeholders restored"),
            (60, "customers restored"),
            (90, "customers follow_up"),
        ],
    ),
    (
        "an outage of less than 15 minutes",
        [(4, CAUSE), (14, RESOLVE)],
        {"outage": True},
        [(14, "stakeholders restored")],
    ),
    (
        "an outage said early",
        [(4, CAUSE), (6, OUTAGE), (16, CANCEL)],
        {},
        [(15, "customers first"), (16, "stakeholders restored")],
    ),
    (
        "an outage said late",
        [(4, CAUSE), (40, OUTAGE), (41, CANCEL)],
        {},
        [(40, "customers first"), (41, "stakeholders restored")],
    ),
    (
        "a major outage",
        [(4, CAUSE), (41, CANCEL)],
        {"outage": True, "major_impact": True},
        [(0, "page UCEO"), (15, "customers first"), (15, "social-media first"), (41, "stakeholders restored")],
    ),
    (
        "what was said is taken back",
        [(4, CAUSE), (5, moves.Edit(by="UONCALL", outage=False)), (41, CANCEL)],
        {"outage": True},
        [(41, "stakeholders restored")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("script", "facts", "log"), [s[1:] for s in P0_STORIES], ids=[s[0] for s in P0_STORIES])
def test_p0(script: Script, facts: dict[str, Any], log: Log) -> None:
    """5 minutes, 10 minutes, 60 minutes, 4 hours; the CEO, customers and social media only when that was said."""
    assert told("P0", script, 300, **facts).log() == sorted(P0_BEGINS + log)


def test_customers_who_hear_late_are_owed_it_within_the_time_from_then() -> None:
    """An outage said at minute 40: the words are due 15 minutes later and not long overdue."""
    story = told("P0", [(4, CAUSE), (40, OUTAGE)], 54)
    assert [e.fields["audience"] for _, e in story.entries(EntryKind.OVERDUE)] == ["stakeholders"]
    late = [(m, e.fields["audience"]) for m, e in story.until(56).entries(EntryKind.OVERDUE)]
    assert late == [(15, "stakeholders"), (55, "customers")]


def test_customers_hear_nothing_of_a_security_incident() -> None:
    """Neither at 15 minutes nor later, however it was declared."""
    story = told("P0", [], 300, security=True, outage=True, major_impact=True)
    assert story.owed() == []
    marked = told("P0", [(10, moves.MarkSecurity(by="UONCALL"))], 300, outage=True, major_impact=True)
    assert marked.owed() == [(0, "stakeholders", "first")]
    assert marked.owed_states("stakeholders") == ["replaced"]


def test_social_media_waits_for_a_person() -> None:
    """It is not owed before somebody approved it, and cannot be called published before."""
    story = told("P0", [(4, CAUSE)], 16, outage=True, major_impact=True)
    n = next(o.n for o in story.incident.communications if o.plan.id == "social-media")
    assert story.owed_states("social-media") == ["waiting"]
    story.do(moves.AnswerCommunication(by="UCEO", n=n, answer=moves.Answer.APPROVED))
    assert story.owed_states("social-media") == ["owed"]
    story.do(moves.AnswerCommunication(by="UCEO", n=n, answer=moves.Answer.PUBLISHED))
    assert story.owed_states("social-media") == ["done"]


def test_progress_updates_of_a_p0_every_half_hour() -> None:
    """Asked for when none came; each one goes to the stakeholders, and to customers who were told."""
    update = moves.PostUpdate(by="UONCALL", progress="Half of it is back")
    story = told("P0", [(4, CAUSE), (10, update), (20, update)], 51, outage=True)
    assert story.minutes(EntryKind.UPDATE_DUE) == [50]
    assert [(m, p) for m, p, stage in story.owed() if stage == "update"] == [
        (10, "stakeholders"),
        (20, "stakeholders"),
        (20, "customers"),
    ]


P1_STORIES: list[tuple[str, Script, dict[str, Any], Log]] = [
    (
        "nobody does anything",
        [],
        {},
        [(HOUR, "page UMANAGER"), (HOUR, "room"), (4 * HOUR, "page UMANAGER")],
    ),
    ("acknowledged", [(59, ACK)], {}, [(4 * HOUR, "page UMANAGER"), (4 * HOUR, "room")]),
    ("resolved", [(59, ACK), (239, RESOLVE)], {}, [(239, "stakeholders restored")]),
    (
        "the fix fails",
        [(59, ACK), (70, FIX), (80, FAILED), (90, RESOLVE)],
        {},
        [(80, "page UMANAGER"), (80, "room"), (90, "stakeholders restored")],
    ),
    (
        "an outage",
        [(4, ACK), (20, CANCEL)],
        {"outage": True},
        [(15, "customers first"), (20, "stakeholders restored")],
    ),
    ("cancelled", [(3, CANCEL)], {}, [(3, "stakeholders restored")]),
    (
        "reopened",
        [(4, ACK), (5, RESOLVE), (100, REOPEN), (161, CANCEL)],
        {},
        [
            (5, "stakeholders restored"),
            (100, "page UONCALL"),
            (100, "stakeholders first"),
            (160, "page UMANAGER"),
            (160, "room"),
            (161, "stakeholders restored"),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("script", "facts", "log"), [s[1:] for s in P1_STORIES], ids=[s[0] for s in P1_STORIES])
def test_p1(script: Script, facts: dict[str, Any], log: Log) -> None:
    """1 hour, 4 hours; the war room as soon as the manager is paged; stakeholders hourly."""
    begins = [(0, "page UONCALL"), (0, "stakeholders first")]
    assert told("P1", script, 300, **facts).log() == sorted(begins + log)


def test_updates_of_a_p1_are_asked_for_every_hour() -> None:
    """Hourly updates to stakeholders need somebody to write them."""
    assert told("P1", [(4, ACK)], 181).minutes(EntryKind.UPDATE_DUE) == [60, 120, 180]


# Business hours --------------------------------------------------------------------------------------------------

WEDNESDAY_NIGHT = datetime(2024, 12, 18, 22, 0, tzinfo=UTC)
WEDNESDAY_NOON = datetime(2024, 12, 18, 12, 0, tzinfo=UTC)
FRIDAY_EVENING = datetime(2024, 12, 20, 18, 0, tzinfo=UTC)
BEFORE_CHRISTMAS = datetime(2024, 12, 24, 16, 0, tzinfo=UTC)
CLOSED = Calendar(closed={date(2024, 12, 25): "Christmas Day", date(2024, 12, 26): "Boxing Day"})
TEAM = ("UTEAM1", "UTEAM2")


def at(minute: float, start: datetime) -> str:
    return f"{start + parse_duration('1m') * minute:%a %d %H:%M}"


@pytest.mark.parametrize(
    ("start", "opening", "unacknowledged"),
    [
        (WEDNESDAY_NOON, "Wed 18 12:00", "Wed 18 16:00"),
        (START, "Wed 18 15:30", "Thu 19 11:30"),
        (WEDNESDAY_NIGHT, "Thu 19 09:00", "Thu 19 13:00"),
        (FRIDAY_EVENING, "Mon 23 09:00", "Mon 23 13:00"),
        (BEFORE_CHRISTMAS, "Tue 24 16:00", "Fri 27 12:00"),
    ],
)
def test_p2_is_for_business_hours(start: datetime, opening: str, unacknowledged: str) -> None:
    """The team is paged at the next opening, and again after 4 business hours; at night everybody sleeps."""
    story = Story("P2", policy="beauty", start=start, calendar=CLOSED).until(4 * DAY)
    assert [(at(m, start), who) for m, who in story.paged()] == [(opening, TEAM), (unacknowledged, TEAM)]


@pytest.mark.parametrize(
    ("script", "pages"),
    [
        ([(60, moves.Acknowledge(by="UTEAM1"))], 0),
        ([(11 * HOUR + 5, moves.Acknowledge(by="UTEAM1"))], 1),
        ([(60, RESOLVE)], 0),
        ([(60, CANCEL)], 0),
    ],
)
def test_p2_acknowledged_or_over_before_the_opening_pages_nobody(script: Script, pages: int) -> None:
    """Declared at 22:00; the team opens 11 hours later."""
    assert len(told("P2", script, 3 * DAY, start=WEDNESDAY_NIGHT).paged()) == pages


def test_p2_gets_daily_updates_on_business_days() -> None:
    """Thursday, Friday, Monday: not at the weekend."""
    story = told("P2", [(1, ACK)], 6 * DAY)
    asked = [at(m, START) for m in story.minutes(EntryKind.UPDATE_DUE)]
    assert asked == ["Thu 19 15:30", "Fri 20 15:30", "Mon 23 15:30", "Tue 24 15:30"]


@pytest.mark.parametrize(
    ("start", "unacknowledged"),
    [
        (START, "Thu 19 15:30"),
        (WEDNESDAY_NIGHT, "Fri 20 09:00"),
        (FRIDAY_EVENING, "Mon 23 09:00"),
        (BEFORE_CHRISTMAS, "Fri 27 09:00"),
    ],
)
def test_p3_waits_a_day_and_for_the_opening_after_it(start: datetime, unacknowledged: str) -> None:
    """24 hours, moved to the next opening; the target on the card says the same."""
    story = Story("P3", policy="beauty", start=start, calendar=CLOSED).until(4 * DAY)
    assert [(at(m, start), who) for m, who in story.paged()] == [(unacknowledged, TEAM)]
    assert f"{story.incident.acknowledge_by:%a %d %H:%M}" == unacknowledged


@pytest.mark.parametrize("end", [moves.Acknowledge(by="UTEAM1"), RESOLVE, CANCEL])
def test_p3_pages_nobody_once_somebody_has_it(end: moves.MoveEvent) -> None:
    """Acknowledged, resolved or cancelled within the day."""
    story = told("P3", [(100, end)], 9 * DAY)
    assert story.paged() == []
    assert story.said(Place.TEAM)[0] == (0, EntryKind.TICKET)


@pytest.mark.parametrize("severity", ["P2", "P3"])
def test_a_breach_at_night_pages_the_security_team_at_once(severity: str) -> None:
    """Business hours are no reason to sleep through a leak."""
    story = told(severity, [], 1, start=WEDNESDAY_NIGHT, security=True)
    assert story.paged() == [(0, ("USEC1", "USEC2"))]


@pytest.mark.parametrize("severity", ["P2", "P3"])
def test_a_reopened_breach_pages_the_security_team_again(severity: str) -> None:
    """Everything starts again, whoever reopens it."""
    story = told(severity, [(5, RESOLVE), (9, REOPEN)], 10, start=WEDNESDAY_NIGHT, security=True)
    assert [m for m, _ in story.paged()] == [0, 9]


def test_business_time_is_reckoned_first_and_hurried_then() -> None:
    """At 60x the eleven hours until the opening take eleven minutes, and so on from there."""
    story = Story("P2", policy="beauty", start=WEDNESDAY_NIGHT, speed=60).until(30)
    assert story.paged() == [(11, TEAM), (15, TEAM)]


# Targets and reviews ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "acknowledge", "resolve"),
    [
        ("P0", "Wed 18 15:35", "Wed 18 19:30"),
        ("P1", "Wed 18 16:30", "Wed 18 23:30"),
        ("P2", "Thu 19 11:30", "Fri 20 15:30"),
        ("P3", "Thu 19 15:30", "Wed 25 15:30"),
    ],
)
def test_the_targets(severity: str, acknowledge: str, resolve: str) -> None:
    """Response times and resolution targets, as on the card."""
    incident = Story(severity, policy="beauty").incident
    assert f"{incident.acknowledge_by:%a %d %H:%M}" == acknowledge
    assert f"{incident.resolve_by:%a %d %H:%M}" == resolve


@pytest.mark.parametrize(("severity", "due"), [("P0", True), ("P1", True), ("P2", False), ("P3", False)])
def test_a_review_within_48_hours(severity: str, due: bool) -> None:
    """Of every P0 and P1; of the others after a breach or a loss of data only."""
    story = told(severity, [(10, RESOLVE)], 10)
    assert (story.incident.review_by == story.now + parse_duration("48h")) is due
    lost = told(severity, [(10, moves.Resolve(by="U1", summary="s", resolution="r", data_loss=True))], 10)
    assert lost.incident.review_by
