"""Raised and lowered: what starts anew, what is moot, who is paged, and what people outside are told."""

import pytest

from escalation.errors import Refused
from escalation.incident.effects import PagePerson, Place
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Edit,
    FixApplied,
    FixFailed,
    PostUpdate,
    Resolve,
    RootCause,
    Schedule,
    Workaround,
)
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.times import parse_duration
from tests.support.story import START, Story, roster_with

HOUR, DAY = 60, 1440
ACK = Acknowledge(by="UONCALL")
CAUSE = RootCause(by="UONCALL", cause="The pool")
WORKAROUND = Workaround(by="UONCALL", text="Rolled back")
RESOLVE = Resolve(by="UONCALL", summary="s", resolution="r")


def after(story: Story, minute: float) -> list[tuple[float, str]]:
    return [(m, what) for m, what in story.log() if m >= minute]


# Raised ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "before", "now", "log"),
    [
        (
            "kars",
            "P1",
            "P0",
            [
                (100, "page UDEVOPS UBACKEND"),
                (100, "room"),
                (100, "stakeholders first"),
                (100, "status-page first"),
                (130, "page UMANAGER"),
                (220, "page UCTO UEXEC"),
                (340, "page UCTO UEXEC"),
            ],
        ),
        (
            "kars",
            "P2",
            "P1",
            [
                (160, "ask consider-workaround"),
                (220, "page UCHECKOUT"),
                (220, "status-page first"),
                (340, "page UMANAGER"),
                (340, "room"),
                (340, "stakeholders first"),
            ],
        ),
        ("kars", "P3", "P2", [(100, "ticket"), (100 + DAY, "page UCHECKOUT"), (100 + DAY, "stakeholders first")]),
        ("beauty", "P1", "P0", [(100, "room"), (100, "stakeholders update"), (160, "page UMANAGER")]),
        ("beauty", "P2", "P1", [(100, "stakeholders first"), (340, "page UMANAGER"), (340, "room")]),
    ],
)
def test_raised_all_clocks_start_at_the_change(
    policy: str, before: str, now: str, log: list[tuple[float, str]]
) -> None:
    """By the on-call engineer, who acknowledged: they are in, and are not paged once more."""
    story = Story(before, policy=policy, service="checkout").do(ACK).until(100).change_to(now)
    until = {"P0": 341, "P1": 341, "P2": 101 + DAY}[now]
    if policy == "beauty":
        until = {"P0": 330, "P1": 341}[now]
    assert after(story.until(until), 100) == log


def test_raised_by_somebody_who_was_paged_nobody_in_is_paged_twice() -> None:
    """On call and backup were paged as P1: as P0 the two leads are, and the backup's own page goes on."""
    story = Story("P1").until(61).change_to("P0", by="UREPORTER")
    assert story.paged()[-1] == (61, ("UDEVOPS", "UBACKEND"))
    assert [p.person for p in story.incident.pages] == ["UONCALL", "UONCALL", "UBACKUP", "UDEVOPS", "UBACKEND"]


def test_raised_the_sla_counts_from_the_declaration() -> None:
    """People were promised it then; only the policy's clocks are new."""
    incident = Story("P1").do(ACK).until(100).change_to("P0").incident
    assert incident.acknowledge_by == START + parse_duration("15m")
    assert incident.resolve_by == START + parse_duration("2h")
    assert incident.clock_from == START + parse_duration("100m")


def test_raised_while_nobody_acknowledged_the_new_clock_asks_again() -> None:
    """15 minutes after the change, not after the declaration."""
    story = Story("P1").until(30).change_to("P0", by="UREPORTER").until(46)
    assert [m for m, plan in story.fired()] == [45]


def test_raised_while_a_fix_is_watched_its_clocks_rest_as_well() -> None:
    """Only what asks for the root cause does not."""
    story = Story("P1").do(ACK).until(10).do(FixApplied(by="UONCALL")).change_to("P0").until(135)
    assert story.fired() == [(40, "no-root-cause")]
    assert story.do(FixFailed(by="UONCALL")).fired()[-1] == (135, "unresolved")


def test_raised_the_paged_are_paged_anew_once_their_pages_fell_silent() -> None:
    """A P2's page of an hour ago, which nobody answered and nothing repeats, reached nobody."""
    story = Story("P2", roster_with(service_lead=("UONCALL",))).until(DAY + HOUR).change_to("P0", by="UREPORTER")
    assert story.paged() == [(DAY, ("UONCALL",)), (DAY + HOUR, ("UONCALL", "UDEVOPS", "UBACKEND"))]


def test_raised_whoever_is_in_is_told_directly() -> None:
    """What they took on was a P2: that it is a P0 now must not wait until they look into the thread."""
    story = Story("P2", roster_with(engineering_team=("UONCALL",)), policy="beauty").until(1).do(ACK)
    story.until(600).change_to("P0", by="UREPORTER")
    assert [m for m, people in story.paged() if "UONCALL" in people] == [0]
    assert story.told(EntryKind.SEVERITY) == ["UONCALL"]


def test_whoever_raises_it_is_not_told_so() -> None:
    """They know."""
    assert Story("P1").do(ACK).until(10).change_to("P0").told(EntryKind.SEVERITY) == []


# Lowered ---------------------------------------------------------------------------------------------------------


def test_lowered_to_a_ticket_ends_what_the_old_severity_had_armed() -> None:
    """Of a P0 that nobody answered, no page, repeat or fallback of it goes out any more once it is a P3."""
    story = Story().until(3).change_to("P3", by="UREPORTER")
    assert {p.state for p in story.incident.pages} == {PageState.WITHDRAWN}
    assert not any(story.incident.page_to_send(e) for e in story.incident.effects if isinstance(e, PagePerson))
    before = len(story.paged())
    assert len(story.until(DAY).paged()) == before
    entry = next(e for e in story.incident.timeline if e.kind is EntryKind.SEVERITY)
    assert set(entry.people) == {"UONCALL", "UDEVOPS", "UBACKEND"}


@pytest.mark.parametrize(
    ("before", "now", "minute", "until", "log"),
    [
        ("P0", "P1", 130, 481, [(240, "page UMANAGER"), (240, "stakeholders update"), (480, "notify UCTO UEXEC")]),
        ("P0", "P1", 50, 121, [(120, "page UCHECKOUT"), (120, "status-page first")]),
        ("P1", "P2", 300, DAY + 1, [(300, "ticket"), (DAY, "page UCHECKOUT"), (DAY, "stakeholders update")]),
        ("P2", "P3", 300, 2 * DAY, [(300, "ticket")]),
        ("P0", "P3", 300, 2 * DAY, [(300, "ticket")]),
    ],
)
def test_lowered_passed_checkpoints_are_moot(
    before: str, now: str, minute: float, until: float, log: list[tuple[float, str]]
) -> None:
    """The clocks go on from the declaration; what is ahead of them fires at its time."""
    story = Story(before, service="checkout").do(ACK).do(CAUSE).do(WORKAROUND).until(minute).change_to(now).until(until)
    assert after(story, minute) == log


def test_lowered_nobody_is_paged_for_it() -> None:
    """It became less, and those who are in know."""
    story = Story().until(3).change_to("P1")
    assert story.paged() == [(0, ("UONCALL", "UDEVOPS", "UBACKEND"))]


def test_what_nobody_said_yet_is_not_passed() -> None:
    """Lowered to P1 at minute 40, found to be an outage at 50: customers are told then."""
    story = Story("P0", policy="beauty").do(CAUSE).until(40).change_to("P1").until(50)
    assert [p for _, p, _ in story.owed()] == ["stakeholders"]
    story.do(Edit(by="UONCALL", outage=True))
    assert story.owed()[-1] == (50, "customers", "first")


def test_what_rested_while_a_fix_was_watched_is_passed() -> None:
    """The 2-hour mark had come when it was lowered: the fix fails, and only what is ahead fires."""
    story = Story().do(CAUSE).until(110).do(FixApplied(by="UONCALL")).until(130).change_to("P1", by="UREPORTER")
    story.until(135).do(FixFailed(by="UONCALL")).until(239)
    assert after(story, 130) == []


def test_a_notice_that_nobody_published_is_not_owed_for_less() -> None:
    """A P0's status page, unpublished at minute 10: a P1 asks for it after 2 hours, a P3 never."""
    story = Story().do(CAUSE).until(10).change_to("P1")
    assert story.owed_states("status-page") == ["declined"]
    assert [e.fields["audience"] for _, e in story.until(119).entries(EntryKind.OVERDUE)] == ["stakeholders"]
    assert [(m, s) for m, p, s in story.until(121).owed() if p == "status-page"][-1] == (120, "first")


def test_customers_who_were_told_of_more_still_hear_that_it_is_over() -> None:
    """The P3 has no communications of its own; whoever was told of the P0 is told of its end."""
    story = Story().do(CAUSE)
    n = next(o.n for o in story.incident.communications if o.plan.id == "status-page")
    story.do(AnswerCommunication(by="UONCALL", n=n, answer=Answer.PUBLISHED)).until(10).change_to("P3")
    story.until(50).do(RESOLVE)
    assert {p for m, p, s in story.owed() if s == "restored"} == {"status-page", "stakeholders"}


# To and from tickets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("P1", "P2", [(10, EntryKind.TICKET)]),
        ("P0", "P3", [(10, EntryKind.TICKET)]),
        ("P2", "P3", [(0, EntryKind.TICKET), (10, EntryKind.TICKET)]),
        ("P3", "P2", [(0, EntryKind.TICKET), (10, EntryKind.TICKET)]),
        ("P2", "P1", [(0, EntryKind.TICKET)]),
    ],
)
def test_the_team_hears_of_its_ticket(before: str, now: str, said: list[tuple[float, EntryKind]]) -> None:
    """When it becomes one, and when it moves into the backlog or out of it."""
    assert Story(before).until(10).change_to(now).until(11).said(Place.TEAM) == said


def test_what_was_scheduled_is_work_for_now_once_it_is_raised() -> None:
    """A P2 that was planned for a sprint becomes a P1: it is paged, and every mark of a P1 holds."""
    story = Story("P2").do(Schedule(by="ULEAD", when="sprint 12")).until(100).change_to("P1", by="UREPORTER")
    assert story.paged() == [(100, ("UONCALL",))]
    assert story.until(221).paged()[-1] == (220, ("ULEAD",))


# What is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "now"), [("P1", "P0"), ("P0", "P1"), ("P1", "P2"), ("P3", "P2")])
def test_why_is_told(before: str, now: str) -> None:
    """From what to what, by whom and why, in the thread and in the room."""
    story = Story(before).do(ACK).until(5).change_to(now, why="all users are affected")
    [(minute, entry)] = story.entries(EntryKind.SEVERITY)
    assert (minute, entry.by, entry.why) == (5, "UONCALL", "all users are affected")
    assert (entry.fields["from"], entry.fields["to"]) == (before, now)
    assert (5, EntryKind.SEVERITY) in story.said(Place.THREAD)


def test_whoever_is_paged_by_it_reads_why() -> None:
    """The page of a newcomer names the change."""
    story = Story("P1").do(ACK).until(5).change_to("P0", why="all users are affected")
    assert story.incident.pages[-1].why == "it was raised to P0: all users are affected"


def test_the_same_severity_is_no_change() -> None:
    """It is said, and nothing happens."""
    with pytest.raises(Refused, match="P0 already"):
        Story().change_to("P0")


def test_there_and_back() -> None:
    """Lowered by mistake and raised again: whose page was withdrawn is paged anew, and who is in is not."""
    story = Story().do(ACK).until(5).change_to("P1").until(6).change_to("P0")
    assert [p.person for p in story.incident.pages] == ["UONCALL", "UDEVOPS", "UBACKEND", "UDEVOPS", "UBACKEND"]
    assert story.until(37).fired() == [(36, "no-root-cause")]


def test_raised_by_mistake_delays_nothing() -> None:
    """A P1 that was called a P0 for two minutes: its marks count from when it was first as bad as a P1."""
    story = Story("P1").do(ACK).until(110).change_to("P0").until(112).change_to("P1").until(481)
    assert story.fired() == [
        (60, "consider-workaround"),
        (120, "unresolved"),
        (240, "still-unresolved"),
        (480, "long-unresolved"),
    ]


@pytest.mark.parametrize(
    ("now", "promised", "due"),
    [("P0", "15m", [15]), ("P0", "2h", [40]), ("P2", "2h", [120])],
)
def test_a_promised_update_stands(now: str, promised: str, due: list[float]) -> None:
    """People were told a time: it is kept where the new severity asks for none, or for a later one."""
    update = PostUpdate(by="UONCALL", progress="We look", next_in=parse_duration(promised))
    story = Story("P1").do(update).until(10).change_to(now)
    assert story.due(CheckpointKind.UPDATE) == due
