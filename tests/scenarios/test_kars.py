"""The KARS policy, every severity to every end: at which minute what fires, and whom it reaches."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from escalation.config.business_time import Calendar
from escalation.incident.effects import Place, SendPage, Tell
from escalation.incident.events import moves
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.tickets import TicketState, ticket_state
from escalation.times import parse_duration
from tests.support.story import START, Story

HOUR, DAY = 60, 1440
ACK = moves.Acknowledge(by="UONCALL")
CAUSE = moves.RootCause(by="UONCALL", cause="Connection pool exhausted")
WORKAROUND = moves.Workaround(by="UONCALL", text="Rolled back")
FIX = moves.FixApplied(by="UONCALL")
FAILED = moves.FixFailed(by="UONCALL")
RESOLVE = moves.Resolve(by="UONCALL", summary="Pool exhausted", resolution="Bigger pool")
CANCEL = moves.Cancel(by="UONCALL", why="a test alert")
REOPEN = moves.Reopen(by="UREPORTER")
SCHEDULE = moves.Schedule(by="UCHECKOUT", when="sprint 12")
PUBLISHED = moves.AnswerCommunication(by="UONCALL", n=2, answer=moves.Answer.PUBLISHED)
Script = list[tuple[float, moves.MoveEvent]]
Log = list[tuple[float, str]]


def told(severity: str, script: Script, until: float) -> Story:
    """An incident of the service checkout, whose lead is UCHECKOUT."""
    story = Story(severity, service="checkout")
    for minute, event in script:
        story.until(minute).do(event)
    return story.until(until)


P0_BEGINS: Log = [
    (0, "status-page first"),
    (0, "stakeholders first"),
    (0, "page UONCALL UDEVOPS UBACKEND"),
    (0, "room"),
]
P0_STORIES: list[tuple[str, Script, Log]] = [
    (
        "nobody does anything",
        [],
        [(15, "page UONCALL UBACKUP"), (30, "page UMANAGER"), (120, "page UCTO UEXEC"), (240, "page UCTO UEXEC")],
    ),
    (
        "acknowledged, no root cause",
        [(14, ACK)],
        [(30, "page UMANAGER"), (120, "page UCTO UEXEC"), (240, "page UCTO UEXEC")],
    ),
    (
        "a workaround is no root cause",
        [(14, ACK), (20, WORKAROUND)],
        [(30, "page UMANAGER"), (120, "page UCTO UEXEC"), (240, "page UCTO UEXEC")],
    ),
    (
        "root cause, never fixed",
        [(14, ACK), (29, CAUSE)],
        [(120, "page UMANAGER"), (120, "page UCTO UEXEC"), (240, "page UCTO UEXEC")],
    ),
    (
        "the fix holds",
        [(5, CAUSE), (20, FIX), (50, RESOLVE)],
        [(50, "monitored"), (50, "stakeholders restored")],
    ),
    (
        "the fix fails",
        [(5, CAUSE), (20, FIX), (25, FAILED)],
        [(25, "page UMANAGER"), (120, "page UCTO UEXEC"), (240, "page UCTO UEXEC")],
    ),
    (
        "the fix is watched over 2 hours, and fails",
        [(5, CAUSE), (110, FIX), (130, FAILED)],
        [(130, "page UMANAGER"), (130, "page UCTO UEXEC"), (240, "page UCTO UEXEC")],
    ),
    (
        "resolved before 2 hours",
        [(5, CAUSE), (119, RESOLVE)],
        [(119, "stakeholders restored")],
    ),
    (
        "resolved after 2 hours",
        [(5, CAUSE), (12, PUBLISHED), (121, RESOLVE)],
        [
            (120, "page UMANAGER"),
            (120, "page UCTO UEXEC"),
            (121, "status-page restored"),
            (121, "stakeholders restored"),
        ],
    ),
    ("cancelled", [(3, CANCEL)], [(3, "stakeholders restored")]),
    (
        "reopened",
        [(5, CAUSE), (10, RESOLVE), (100, REOPEN), (101, ACK), (102, CAUSE)],
        [
            (10, "stakeholders restored"),
            (100, "page UONCALL UDEVOPS UBACKEND"),
            (100, "status-page first"),
            (100, "stakeholders first"),
            (220, "page UMANAGER"),
            (220, "page UCTO UEXEC"),
        ],
    ),
]


@pytest.mark.parametrize(("script", "log"), [s[1:] for s in P0_STORIES], ids=[s[0] for s in P0_STORIES])
def test_p0(script: Script, log: Log) -> None:
    """All leads at once, 15 minutes, 30 minutes, 2 hours, 4 hours; the status page and stakeholders from the start."""
    assert told("P0", script, 300).log() == sorted(P0_BEGINS + log)


P1_STORIES: list[tuple[str, Script, Log]] = [
    (
        "nobody does anything",
        [],
        [
            (60, "ask consider-workaround"),
            (60, "page UONCALL UBACKUP"),
            (120, "page UCHECKOUT"),
            (120, "status-page first"),
            (240, "page UMANAGER"),
            (240, "stakeholders first"),
            (240, "room"),
            (480, "notify UCTO UEXEC"),
        ],
    ),
    (
        "acknowledged in time",
        [(59, ACK)],
        [
            (60, "ask consider-workaround"),
            (120, "page UCHECKOUT"),
            (120, "status-page first"),
            (240, "page UMANAGER"),
            (240, "stakeholders first"),
            (240, "room"),
            (480, "notify UCTO UEXEC"),
        ],
    ),
    ("a workaround, resolved before 2 hours", [(50, WORKAROUND), (119, RESOLVE)], []),
    (
        "a workaround alone resolves nothing",
        [(50, WORKAROUND), (239, RESOLVE)],
        [(120, "page UCHECKOUT"), (120, "status-page first")],
    ),
    (
        "resolved before 8 hours",
        [(50, WORKAROUND), (479, RESOLVE)],
        [
            (120, "page UCHECKOUT"),
            (120, "status-page first"),
            (240, "page UMANAGER"),
            (240, "stakeholders first"),
            (240, "room"),
            (479, "stakeholders restored"),
        ],
    ),
    (
        "the fix holds",
        [(50, WORKAROUND), (110, FIX), (145, RESOLVE)],
        [(120, "status-page first"), (140, "monitored")],
    ),
    (
        "the fix fails: what is overdue fires at once",
        [(50, WORKAROUND), (110, FIX), (125, FAILED), (130, RESOLVE)],
        [(120, "status-page first"), (125, "page UCHECKOUT")],
    ),
    ("cancelled", [(30, CANCEL)], []),
    (
        "escalated by hand to the manager",
        [
            (5, ACK),
            (6, moves.Escalate(by="UONCALL")),
            (7, moves.Escalate(by="UONCALL")),
            (8, moves.Escalate(by="UONCALL")),
            (59, CANCEL),
        ],
        [(6, "page UBACKUP"), (7, "page UCHECKOUT"), (8, "page UMANAGER"), (8, "room")],
    ),
    (
        "reopened",
        [(10, RESOLVE), (100, REOPEN), (101, ACK), (110, WORKAROUND), (221, RESOLVE)],
        [
            (100, "page UONCALL"),
            (220, "page UCHECKOUT"),
            (220, "status-page first"),
        ],
    ),
]


@pytest.mark.parametrize(("script", "log"), [s[1:] for s in P1_STORIES], ids=[s[0] for s in P1_STORIES])
def test_p1(script: Script, log: Log) -> None:
    """1 hour, 2 hours, 4 hours, 8 hours; the domain lead is the lead of the affected service."""
    assert told("P1", script, 600).log() == sorted([(0, "page UONCALL"), *log])


def test_the_domain_lead_of_an_incident_without_a_service() -> None:
    """It is whoever holds the role itself."""
    assert Story("P1").do(ACK).until(121).paged()[-1] == (120, ("ULEAD",))


def test_executives_are_told_of_a_long_p1_and_not_paged() -> None:
    """A direct message without a page: nobody asks them to acknowledge."""
    story = told("P1", [], 481)
    assert [e.person for e in story.caused.values() if isinstance(e, Tell) and e.at == story.incident.timeline[-1].at]
    assert story.told(EntryKind.NOTIFIED) == ["UCTO", "UEXEC"]
    pages = [story.incident.page(e.page).person for e in story.caused.values() if isinstance(e, SendPage)]
    assert not {"UCTO", "UEXEC"} & set(pages)


P2_STORIES: list[tuple[str, Script, Log]] = [
    (
        "nobody does anything",
        [],
        [
            (4 * HOUR, "team unacknowledged"),
            (DAY, "page UCHECKOUT"),
            (DAY, "stakeholders first"),
            (2 * DAY, "ask decide"),
            (2 * DAY, "status-page first"),
        ],
    ),
    ("acknowledged, resolved in a day", [(200, ACK), (DAY - 1, RESOLVE)], []),
    (
        "resolved in two days",
        [(200, ACK), (2 * DAY - 1, RESOLVE)],
        [(DAY, "page UCHECKOUT"), (DAY, "stakeholders first"), (2 * DAY - 1, "stakeholders restored")],
    ),
    (
        "scheduled",
        [(200, ACK), (DAY + 1, SCHEDULE)],
        [(DAY, "page UCHECKOUT"), (DAY, "stakeholders first"), (2 * DAY, "status-page first")],
    ),
    (
        "the fix fails on the second day",
        [(200, ACK), (DAY - 1, FIX), (DAY + 20, FAILED), (DAY + 21, RESOLVE)],
        [
            (DAY, "stakeholders first"),
            (DAY + 20, "page UCHECKOUT"),
            (DAY + 21, "stakeholders restored"),
        ],
    ),
    ("cancelled", [(100, CANCEL)], []),
    (
        "reopened",
        [(100, RESOLVE), (200, REOPEN), (200 + DAY + 1, CANCEL)],
        [
            (200 + 240, "team unacknowledged"),
            (200 + DAY, "page UCHECKOUT"),
            (200 + DAY, "stakeholders first"),
            (200 + DAY + 1, "stakeholders restored"),  # they had read of it: a false alarm is told to them too
        ],
    ),
]


@pytest.mark.parametrize(("script", "log"), [s[1:] for s in P2_STORIES], ids=[s[0] for s in P2_STORIES])
def test_p2(script: Script, log: Log) -> None:
    """A ticket at once and nobody paged; 4 hours, 24 hours, 48 hours."""
    assert told("P2", script, 3 * DAY).log() == sorted([(0, "ticket"), *log])


def test_a_p2_is_told_to_the_team_that_owns_the_service() -> None:
    """At once, after 4 hours with a button, when it is scheduled and at its end."""
    story = told("P2", [(241, SCHEDULE), (300, RESOLVE), (400, REOPEN), (500, CANCEL)], 501)
    assert story.said(Place.TEAM) == [
        (0, EntryKind.TICKET),
        (240, EntryKind.CHECKPOINT),
        (241, EntryKind.SCHEDULED),
        (300, EntryKind.RESOLVED),
        (400, EntryKind.REOPENED),
        (500, EntryKind.CANCELLED),
    ]


def test_the_decision_about_an_old_p2_has_buttons() -> None:
    """Re-prioritise or schedule, in the thread."""
    entry = [e for _, e in told("P2", [], 2 * DAY).entries(EntryKind.CHECKPOINT)][-1]
    assert (entry.fields["checkpoint"], entry.fields["offer"]) == ("decide", "severity,schedule")
    assert "Re-prioritise" in entry.fields["say"]


def test_the_status_page_of_an_old_p2_waits_for_approval() -> None:
    """Nothing is published about it until a person said yes; stakeholders heard through Slack."""
    story = told("P2", [], 2 * DAY)
    assert story.owed_states("status-page") == ["waiting"]
    assert story.owed_states("stakeholders") == ["done"]
    assert story.said(Place.STAKEHOLDERS) == [(DAY, EntryKind.COMMUNICATION)]


def test_a_ticket_goes_from_open_to_closed() -> None:
    """Open, scheduled, fixed, verified, closed."""
    story = told("P2", [], 10)
    states = [ticket_state(story.incident)]
    for event in (SCHEDULE, FIX, moves.Verify(by="UONCALL"), RESOLVE):
        states.append(ticket_state(story.do(event).incident))
    assert states == list(TicketState)


P3_STORIES: list[tuple[str, Script, Log]] = [
    ("nobody does anything", [], [(DAY, "team unacknowledged"), (7 * DAY, "team unscheduled")]),
    ("acknowledged", [(100, ACK)], [(7 * DAY, "team unscheduled")]),
    ("scheduled, which acknowledges", [(100, SCHEDULE)], []),
    ("resolved", [(100, RESOLVE)], []),
    ("cancelled", [(100, CANCEL)], []),
]


@pytest.mark.parametrize(("script", "log"), [s[1:] for s in P3_STORIES], ids=[s[0] for s in P3_STORIES])
def test_p3(script: Script, log: Log) -> None:
    """A ticket in the backlog; a word to the team after a business day and after a week; nobody is ever paged."""
    story = told("P3", script, 9 * DAY)
    assert story.log() == sorted([(0, "ticket"), *log])
    assert story.incident.pages == ()


HOLIDAYS = Calendar(closed={date(2024, 12, d): "holiday" for d in (24, 25, 26)})


@pytest.mark.parametrize(
    ("start", "calendar", "minutes"),
    [
        (datetime(2024, 12, 18, 15, 30, tzinfo=UTC), Calendar(), DAY),  # a Wednesday
        (datetime(2024, 12, 20, 16, 0, tzinfo=UTC), Calendar(), 3 * DAY),  # a Friday
        (datetime(2024, 12, 21, 12, 0, tzinfo=UTC), Calendar(), 2 * DAY + 21 * HOUR),  # Saturday: Tuesday at 9
        (datetime(2024, 12, 23, 10, 0, tzinfo=UTC), HOLIDAYS, 4 * DAY),  # Monday before three holidays
        (datetime(2024, 12, 23, 20, 0, tzinfo=UTC), HOLIDAYS, 6 * DAY + 13 * HOUR),  # after hours: Monday at 9
    ],
)
def test_a_business_day_leaves_out_nights_weekends_and_holidays(
    start: datetime, calendar: Calendar, minutes: float
) -> None:
    """The team is asked when the business day is over; the SLA on the card is the same instant."""
    story = Story("P3", start=start, calendar=calendar).until(minutes)
    assert story.fired() == [(minutes, "unacknowledged")]
    assert story.incident.acknowledge_by == story.now


# Reminders, targets and reviews ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "minutes"), [("P0", [30, 60, 90, 120]), ("P1", [60, 120]), ("P2", []), ("P3", [])]
)
def test_updates_are_asked_for_at_the_pace_of_the_severity(severity: str, minutes: list[float]) -> None:
    """Every 30 minutes, every hour; of a ticket none."""
    assert told(severity, [], 120).minutes(EntryKind.UPDATE_DUE) == minutes


@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
def test_a_broken_promise_of_an_update_is_on_the_timeline(severity: str) -> None:
    """Whoever promised the next update by name is named when it does not come, whatever the severity."""
    update = moves.PostUpdate(by="UDEVOPS", progress="Restoring", next_in=parse_duration("20m"))
    story = Story(severity).do(ACK).until(5).do(update).until(26)
    [(minute, entry)] = story.entries(EntryKind.UPDATE_DUE)
    assert (minute, entry.fields["promised_by"]) == (25, "UDEVOPS")


@pytest.mark.parametrize(
    ("severity", "acknowledge", "resolve"),
    [
        ("P0", 15, 2 * HOUR),
        ("P1", HOUR, 8 * HOUR),
        ("P2", 4 * HOUR, 2 * DAY),
        ("P3", DAY, 7 * DAY),
    ],
)
def test_the_targets_of_the_matrix(severity: str, acknowledge: float, resolve: float) -> None:
    """Response time and resolution target, as on the card."""
    incident = Story(severity).incident
    minutes = [(at - START).total_seconds() / 60 for at in (incident.acknowledge_by, incident.resolve_by)]
    assert minutes == [acknowledge, resolve]


@pytest.mark.parametrize(
    ("severity", "minute", "facts", "due"),
    [
        ("P0", 10, {}, True),
        ("P1", 4 * HOUR, {}, False),
        ("P1", 4 * HOUR + 1, {}, True),
        ("P1", 10, {"security": True}, True),
        ("P2", 3 * DAY, {}, False),
        ("P2", 10, {"data_loss": True}, True),
        ("P3", 10, {"security": True}, True),
    ],
)
def test_which_incidents_need_a_review(severity: str, minute: float, facts: dict[str, Any], due: bool) -> None:
    """All P0, P1 over 4 hours, security, data loss: within 48 hours of the resolution."""
    story = Story(severity, **facts).until(minute).do(RESOLVE)
    expected = story.now + parse_duration("48h") if due else None
    assert story.incident.review_by == expected


def test_a_review_is_held_once_it_is_over() -> None:
    """It is on the record with who held it and what came of it; a ticket may be reviewed as well."""
    story = told("P2", [(10, RESOLVE), (100, moves.Reviewed(by="UMANAGER", text="More tests"))], 101)
    assert story.incident.reviewed
    assert story.minutes(EntryKind.REVIEWED) == [100]


@pytest.mark.parametrize("severity", ["P0", "P1"])
def test_unanswered_pages_are_repeated(severity: str) -> None:
    """Every 5 or 15 minutes, three times; a ticket's lead is paged once."""
    every = {"P0": 5, "P1": 15}[severity]
    story = Story(severity).do(moves.Acknowledge(by="UREPORTER")).until(70)
    assert story.minutes(EntryKind.REPEATED)[:3] == [every, 2 * every, 3 * every]


@pytest.mark.parametrize(("severity", "paged"), [("P2", ("USEC1", "USEC2")), ("P3", ("USEC1", "USEC2"))])
def test_a_breach_is_for_the_security_team_at_once(severity: str, paged: tuple[str, ...]) -> None:
    """A ticket that is a security incident is not left to a team channel that may not read it."""
    story = Story(severity, security=True)
    assert story.paged() == [(0, paged)]
    assert story.said(Place.TEAM) == []


def test_a_drill_owes_nothing_outside_of_slack() -> None:
    """The same pages at the same times; nobody else hears of it, a report ends it, and no review is due."""
    story = Story("P0", drill=True).until(121).do(RESOLVE)
    assert [p for p in story.paged() if p[0] == 30] == [(30, ("UMANAGER",))]
    assert story.incident.communications == ()
    assert story.incident.review_by is None
    assert story.due(CheckpointKind.OWED) == []
    assert story.minutes(EntryKind.DRILL_REPORT) == [121]
