"""The war room: by which rule it opens, its phases and time boxes, its leads, several at once, and its end."""

from typing import Any

import pytest

from escalation.config.policy import Severity
from escalation.errors import Refused
from escalation.incident.effects import ArchiveRoom, Invite, LinkOther, OpenRoom, Place, PostCard, Refresh, Say
from escalation.incident.events.declaration import Other
from escalation.incident.events.moves import (
    Acknowledge,
    ChangeSeverity,
    Escalate,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Reopen,
    Resolve,
    Reviewed,
    StartFix,
    TakeLead,
)
from escalation.incident.events.news import Linked
from escalation.incident.events.outcomes import Delivered, Dropped, RoomOpened
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.leads import Lead
from escalation.incident.state.posted import CopyKind
from escalation.incident.state.rooms import Room
from escalation.messages.timeline import entry_lines
from escalation.text import text
from tests.support.story import Story, roster_with

ACK = Acknowledge(by="UONCALL")
RESOLVE = Resolve(by="UONCALL", summary="s", resolution="r")
REOPEN = Reopen(by="UREPORTER")
REVIEWED = Reviewed(by="UMANAGER")
OTHERS = (Other(id="INC-20241218-000"),)


def rooms(story: Story) -> list[tuple[float, bool]]:
    """(minute, whether it is private) of every room that was asked for."""
    opened = (e for e in story.caused.values() if isinstance(e, OpenRoom) and not e.withdrawn)
    return [((e.at - story.start).total_seconds() / 60, e.private) for e in opened]


def invited(story: Story) -> set[str]:
    return {p for e in story.caused.values() if isinstance(e, Invite) for p in e.people}


def in_its_room(story: Story, channel: str = "CROOM") -> Story:
    """Slack made the room and took its card."""
    opened = next(e for e in story.incident.effects if isinstance(e, OpenRoom) and not e.withdrawn)
    story.do(RoomOpened(effect=opened.id, room=Room(channel=channel, name=opened.name, private=opened.private)))
    card = next(e for e in story.incident.effects if isinstance(e, PostCard) and e.place == "room")
    return story.do(Delivered(effect=card.id, channel=channel, ts="1.1", face=story.incident.face))


def archived(story: Story) -> Story:
    effect = next(e for e in story.incident.effects if isinstance(e, ArchiveRoom))
    return story.do(Delivered(effect=effect.id))


# When it opens ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["kars", "beauty"])
@pytest.mark.parametrize(
    ("severity", "more", "opened"),
    [
        ("P0", {}, [(0, False)]),
        ("P0", {"security": True}, [(0, True)]),
        ("P1", {}, []),
        ("P1", {"security": True}, [(0, True)]),
        ("P1", {"others": OTHERS}, [(0, False)]),
        ("P2", {}, []),
        ("P2", {"security": True}, [(0, True)]),
        ("P3", {"others": OTHERS}, []),
    ],
)
def test_a_room_is_opened_at_the_declaration(
    policy: str, severity: str, more: dict[str, Any], opened: list[tuple[float, bool]]
) -> None:
    """Every P0, every security incident, and a P1 while another such incident is open."""
    assert rooms(Story(severity, policy=policy, **more)) == opened


@pytest.mark.parametrize(
    ("policy", "presses", "minute"),
    [("kars", 0, 240), ("kars", 3, 5), ("beauty", 0, 60), ("beauty", 1, 5)],
)
def test_a_p1_gets_its_room_with_the_manager(policy: str, presses: int, minute: float) -> None:
    """When the checkpoint pages the manager, or as soon as somebody escalates so far by hand."""
    story = Story("P1", policy=policy).until(5)
    for _ in range(presses):
        story.do(Escalate(by="UREPORTER"))
    story.until(241)
    assert rooms(story)[0] == (minute, False)
    assert "UMANAGER" in invited(story)


def test_who_is_invited() -> None:
    """The reporter, everybody who was paged, the engineering manager as a guest, and whoever takes a lead."""
    story = in_its_room(Story()).do(TakeLead(by="USCRIBE", lead=Lead.SCRIBE))
    assert invited(story) == {"UREPORTER", "UONCALL", "UDEVOPS", "UBACKEND", "UMANAGER", "USCRIBE"}
    assert "UMANAGER" not in {p.person for p in story.incident.pages}


def test_one_room_is_enough() -> None:
    """Escalating, raising, linking: none of them opens a second."""
    story = in_its_room(Story("P1", others=OTHERS))
    for _ in range(3):
        story.do(Escalate(by="UREPORTER"))
    story.change_to("P0").do(Linked(other="INC-2", coordinated_in="INC-20241218-000"))
    assert len(rooms(story)) == 1


# Phases ----------------------------------------------------------------------------------------------------------


def phases(story: Story) -> list[tuple[float, str]]:
    named = ((m, e.fields) for m, e in story.entries(EntryKind.PHASE))
    return [(m, f"{f['over']} is over" if f.get("over") else f["name"]) for m, f in named]


def test_the_phases_of_the_first_policy() -> None:
    """Assessment for five minutes, then the investigation; the others as the work goes on."""
    story = Story().do(ACK).until(20).do(StartFix(by="UONCALL")).until(25).do(FixApplied(by="UONCALL"))
    story.until(40).do(FixFailed(by="UONCALL")).do(FixApplied(by="UONCALL")).until(75).do(RESOLVE).until(100)
    assert phases(story) == [
        (0, "Initial assessment"),
        (5, "Investigation"),
        (20, "Resolution"),
        (25, "Verification"),
        (40, "Investigation"),
        (40, "Verification"),
        (75, "Wrap-up"),
    ]
    assert {place for _, place in [(e.at, e.place) for e in said(story, EntryKind.PHASE)]} == {Place.ROOM}


def test_the_time_boxes_of_the_second_policy() -> None:
    """5 minutes, 55 minutes, 3 hours: when one is over and nothing follows by itself, the room is asked."""
    story = Story(policy="beauty").do(ACK).until(70).do(StartFix(by="UONCALL")).until(260)
    assert phases(story) == [
        (0, "Detection and acknowledgment"),
        (5, "Investigation"),
        (60, "Investigation is over"),
        (70, "Resolution"),
        (250, "Resolution is over"),
    ]


def said(story: Story, kind: EntryKind) -> list[Say]:
    says = (e for e in story.caused.values() if isinstance(e, Say))
    return [e for e in says if kind in {story.incident.entry(n).kind for n in e.entries}]


def test_a_room_that_opens_during_a_fix_goes_on_with_the_fix() -> None:
    """Raised while the fix was watched: after the first questions it is not investigated, but verified."""
    story = Story("P2").do(FixApplied(by="UONCALL")).until(5).change_to("P0").until(12)
    assert phases(story) == [(5, "Initial assessment"), (10, "Verification")]


def test_a_policy_with_fewer_phases_ends_a_time_box_of_before() -> None:
    """The policy was edited, then the severity changed: what the old one had begun is over without a word."""
    story = Story()
    shorter = story.policy.severities[Severity.P1].model_copy(update={"phases": ()})
    story.do(ChangeSeverity(by="UONCALL", policy=shorter, why="less")).until(20)
    assert phases(story) == [(0, "Initial assessment")]


def test_without_a_room_there_are_no_phases() -> None:
    """A P1 that one person works on is not asked for a facilitator."""
    assert phases(Story("P1").do(ACK).do(StartFix(by="UONCALL")).until(100)) == []


def test_a_phase_names_its_facilitator() -> None:
    """Who took it leads; before, whoever is on call."""
    story = Story().until(3).do(TakeLead(by="UDEVOPS", lead=Lead.COMMANDER)).until(6)
    assert [e.people for _, e in story.entries(EntryKind.PHASE)] == [("UONCALL",), ("UDEVOPS",)]


def test_a_phase_says_that_its_commander_only_stands_in() -> None:
    """While nobody took the role, the phase says so, as the card does; once somebody has it, it names them alone."""
    story = Story().until(3).do(TakeLead(by="UDEVOPS", lead=Lead.COMMANDER)).until(6)
    told = [text(entry_lines(story.incident, e)) for _, e in story.entries(EntryKind.PHASE)]
    assert "Incident commander: UONCALL (acting: nobody has taken the role yet)" in told[0]
    assert "Incident commander: UDEVOPS" in told[1].split("\n")


def test_marked_as_security_the_private_room_has_phases_too() -> None:
    """A P1 without a room gets one, and it begins as every room does."""
    story = Story("P1").until(10).do(MarkSecurity(by="UONCALL"))
    assert phases(story) == [(10, "Initial assessment")]
    assert {e.place for e in said(story, EntryKind.PHASE)} == {Place.THREAD}


# Leads -----------------------------------------------------------------------------------------------------------


def test_a_role_is_taken() -> None:
    """Whoever takes it has it, and the record says so."""
    story = Story().do(TakeLead(by="USCRIBE", lead=Lead.SCRIBE))
    assert story.incident.leads == {Lead.SCRIBE: "USCRIBE"}
    assert [e.fields["what"] for _, e in story.entries(EntryKind.LEADING)] == ["taken"]


def test_an_offer_counts_once_it_is_accepted() -> None:
    """Until then the former one leads, and the one who is asked is told directly."""
    story = Story().do(TakeLead(by="UONCALL", lead=Lead.COMMANDER))
    story.do(TakeLead(by="UONCALL", lead=Lead.COMMANDER, to="UDEVOPS"))
    assert story.incident.leads == {Lead.COMMANDER: "UONCALL"}
    assert story.told(EntryKind.LEADING) == ["UDEVOPS"]
    story.do(TakeLead(by="UDEVOPS", lead=Lead.COMMANDER))
    assert story.incident.leads == {Lead.COMMANDER: "UDEVOPS"}
    assert story.incident.offers == {}
    assert [e.fields["what"] for _, e in story.entries(EntryKind.LEADING)] == ["taken", "offered", "accepted"]


def test_an_offer_that_is_declined_is_off_and_whoever_made_it_hears_of_it() -> None:
    """The role stays where it was; nobody else can decline it."""
    story = Story().do(TakeLead(by="UONCALL", lead=Lead.COMMANDER))
    story.do(TakeLead(by="UONCALL", lead=Lead.COMMANDER, to="UDEVOPS"))
    with pytest.raises(Refused, match="not offered to you"):
        story.do(TakeLead(by="UCTO", lead=Lead.COMMANDER, declined=True))
    story.do(TakeLead(by="UDEVOPS", lead=Lead.COMMANDER, declined=True))
    assert (story.incident.leads, story.incident.offers) == ({Lead.COMMANDER: "UONCALL"}, {})
    assert story.told(EntryKind.LEADING) == ["UDEVOPS", "UONCALL"]
    with pytest.raises(Refused, match="not offered to you"):
        story.do(TakeLead(by="UDEVOPS", lead=Lead.COMMANDER, declined=True))


def test_a_role_is_taken_over() -> None:
    """The former one is told directly; an offer to a third is off."""
    story = Story().do(TakeLead(by="UONCALL", lead=Lead.COMMANDER))
    story.do(TakeLead(by="UONCALL", lead=Lead.COMMANDER, to="UDEVOPS")).do(TakeLead(by="UCTO", lead=Lead.COMMANDER))
    assert story.incident.leads == {Lead.COMMANDER: "UCTO"}
    assert story.incident.offers == {}
    assert story.told(EntryKind.LEADING) == ["UDEVOPS", "UONCALL"]


def test_taking_what_one_has_changes_nothing_but_an_offer() -> None:
    """The commander who offered it changed their mind: the offer is off, and nobody is told twice."""
    story = Story().do(TakeLead(by="UONCALL", lead=Lead.COMMANDER))
    story.do(TakeLead(by="UONCALL", lead=Lead.COMMANDER, to="UDEVOPS")).do(TakeLead(by="UONCALL", lead=Lead.COMMANDER))
    assert story.incident.offers == {}
    assert len(story.minutes(EntryKind.LEADING)) == 2


def test_the_commander_is_told_what_the_response_is_told() -> None:
    """Taking it moves the reminders to the one who took it."""
    story = Story().do(ACK).do(TakeLead(by="UDEVOPS", lead=Lead.COMMANDER)).until(41)
    assert story.told(EntryKind.SILENCE) == ["UDEVOPS"]


# Several at once -------------------------------------------------------------------------------------------------


def test_two_incidents_know_of_each_other() -> None:
    """The new one tells the open one; both name the room of the first as the one where all are coordinated."""
    first, second = Story("P1"), Story("P1", others=OTHERS)
    [link] = [e for e in second.incident.effects if isinstance(e, LinkOther)]
    assert link.other == "INC-20241218-000"
    first.do(Linked(other=second.incident.id, coordinated_in=second.incident.coordinated_in))
    assert second.incident.linked == ("INC-20241218-000",)
    assert first.incident.linked == (second.incident.id,)
    assert first.incident.coordinated_in == second.incident.coordinated_in == "INC-20241218-000"
    assert rooms(first) == rooms(second) == [(0, False)]


def test_a_third_joins_the_room_of_the_first() -> None:
    """Wherever the others are coordinated already."""
    known = (Other(id="INC-20241218-003", coordinated_in="INC-20241218-002"), Other(id="INC-20241218-002"))
    assert Story("P1", others=known).incident.coordinated_in == "INC-20241218-002"


def test_a_room_that_is_closed_coordinates_nothing_new() -> None:
    """The first of three is over: the second and the third go on in a room that is still open."""
    third = Story(others=(Other(id="INC-20241218-000", coordinated_in="INC-1"),))
    assert third.incident.coordinated_in == "INC-20241218-000"
    second = Story(others=OTHERS).do(Linked(other="INC-3", coordinated_in="INC-20241218-001"))
    assert second.incident.coordinated_in == "INC-20241218-001"


def test_a_link_is_made_once() -> None:
    """Told twice, or told when it is over or private: nothing follows."""
    linked = Linked(other="INC-2", coordinated_in="INC-2")
    story = Story().do(linked)
    assert story.do(linked).incident.linked == ("INC-2",)
    assert Story().do(RESOLVE).do(linked).incident.linked == ()
    assert Story(security=True).do(linked).incident.linked == ()


def test_a_link_is_not_made_to_what_became_private_meanwhile() -> None:
    """Marked as security before the other one was told: it is not told any more."""
    story = Story("P1", others=OTHERS).do(MarkSecurity(by="UONCALL"))
    assert not [e for e in story.incident.effects if isinstance(e, LinkOther)]


# Its end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", [False, True])
def test_the_room_is_archived_after_the_review_and_not_before(security: bool) -> None:
    """Resolved, it stays for the wrap-up; reviewed, it goes once everything was said in it."""
    story = in_its_room(Story(security=security)).until(10).do(RESOLVE).until(3000)
    assert not [e for e in story.incident.effects if isinstance(e, ArchiveRoom)]
    story.do(REVIEWED)
    [archive] = [e for e in story.incident.effects if isinstance(e, ArchiveRoom)]
    assert archive.after
    assert archived(story).incident.room.lost  # type: ignore[union-attr]  # there is one


def test_without_a_room_nothing_is_archived() -> None:
    """A P1 that never had one."""
    assert not [e for e in Story("P1").do(RESOLVE).do(REVIEWED).incident.effects if isinstance(e, ArchiveRoom)]


@pytest.mark.parametrize(("severity", "more"), [("P0", {}), ("P0", {"security": True}), ("P1", {"security": True})])
def test_reopened_after_the_archive_it_gets_a_new_room(severity: str, more: dict[str, Any]) -> None:
    """Archived rooms are final: nothing is sent to the old one, and its card is no home any more."""
    story = archived(in_its_room(Story(severity, **more)).do(RESOLVE).do(REVIEWED))
    story.until(100).do(REOPEN)
    assert rooms(story)[-1] == (100, bool(more))
    assert [r.channel for r in story.incident.old_rooms] == ["CROOM"]
    assert not [c for c in story.incident.copies if c.kind is CopyKind.ROOM]
    assert not [e for e in story.incident.effects if isinstance(e, Refresh) and e.copy_id.startswith("CROOM")]
    in_its_room(story, "CROOM2")
    if more:
        card = story.incident.card()
        assert card
        assert card.channel == "CROOM2"


def test_with_a_lost_private_room_the_card_of_the_former_public_one_is_still_redacted() -> None:
    """What was deleted by hand takes with it only what stood in it."""
    story = in_its_room(Story())
    story.do(MarkSecurity(by="UONCALL", why="a leak"))
    [former] = [c.id for c in story.incident.copies if c.kind is CopyKind.ROOM]
    in_its_room(story, "CPRIVATE")
    invite = next(e for e in story.incident.effects if isinstance(e, Invite))
    story.do(Dropped(effect=invite.id, why="channel_not_found", gone="CPRIVATE"))
    assert [r.channel for r in story.incident.old_rooms] == ["CROOM", "CPRIVATE"]
    assert former in [e.copy_id for e in story.incident.effects if isinstance(e, Refresh)]
    assert [(c.id, c.redacted) for c in story.incident.copies if c.kind is CopyKind.ROOM] == [(former, True)]


def test_reopened_before_the_archive_it_keeps_its_room() -> None:
    """The archiving is called off, and the phases begin anew."""
    story = in_its_room(Story()).do(RESOLVE).do(REVIEWED).until(100).do(REOPEN)
    assert not [e for e in story.incident.effects if isinstance(e, ArchiveRoom)]
    assert len(rooms(story)) == 1
    assert phases(story)[-1] == (100, "Initial assessment")


def test_a_reopened_p1_waits_for_the_manager_again() -> None:
    """Its room was archived: the next one comes by the same rule as the first."""
    story = archived(in_its_room(Story("P1").until(241)).do(RESOLVE).do(REVIEWED))
    story.until(300).do(REOPEN).until(539)
    assert len(rooms(story)) == 1
    assert rooms(story.until(541))[-1] == (540, False)


def test_an_empty_managers_tier_opens_no_room() -> None:
    """Nobody was escalated to: the tier is skipped aloud."""
    story = Story("P1", roster=roster_with(engineering_manager=())).until(241)
    assert rooms(story) == []
    assert story.minutes(EntryKind.SKIPPED) == [240]


def test_raised_to_p0_opens_the_room() -> None:
    """Whoever was in is invited."""
    story = Story("P1").do(ACK).until(20).change_to("P0")
    assert rooms(story) == [(20, False)]
    assert story.incident.severity is Severity.P0
    assert "UONCALL" in invited(story)
