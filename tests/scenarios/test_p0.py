"""The P0 policy of the first company, minute by minute, on the pure domain."""

import pytest

from escalation.config.policy import Severity
from escalation.config.rules.checkpoints import Moment, PlannedCheckpoint
from escalation.engine.checkpoints import planned
from escalation.engine.upcoming import upcoming
from escalation.errors import Refused
from escalation.incident.effects import OpenRoom, Place, PostCard, Refresh, Say, SendPage
from escalation.incident.events import moves, outcomes
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.pages import PageState
from escalation.incident.state.posted import CopyKind
from escalation.incident.state.rooms import Room
from escalation.messages.entries.paging import page_reason
from escalation.oncall.roster import Roster
from escalation.times import parse_duration
from tests.support.story import START, Story, kars, roster_with

ACK = moves.Acknowledge(by="UONCALL")
CAUSE = moves.RootCause(by="UONCALL", cause="Connection pool exhausted")
FIX = moves.FixApplied(by="UONCALL")
HELD_NOT = moves.FixFailed(by="UONCALL")
RESOLVE = moves.Resolve(by="UONCALL", summary="Pool exhausted", resolution="Bigger pool")


def test_the_first_tier_is_paged_at_once() -> None:
    """On call, DevOps lead and backend lead are paged in the second of the declaration."""
    story = Story()
    assert story.tiers() == [(0, 1)]
    assert [p.person for p in story.incident.pages] == ["UONCALL", "UDEVOPS", "UBACKEND"]


def test_a_breach_pages_the_security_team_too() -> None:
    """A security incident adds the security team to the first tier."""
    people = [p.person for p in Story(security=True).incident.pages]
    assert people == ["UONCALL", "UDEVOPS", "UBACKEND", "USEC1", "USEC2"]


def test_nobody_does_anything() -> None:
    """Tier 2 at 15 minutes, 3 at 30, 4 at 2 hours and once more at 4 hours; tier 3 is not paged twice."""
    assert Story().until(300).tiers() == [(0, 1), (15, 2), (30, 3), (120, 4), (240, 4)]


def test_acknowledged_in_time() -> None:
    """An acknowledgement within 15 minutes keeps tier 2 asleep."""
    assert Story().until(14).do(ACK).until(29).tiers() == [(0, 1)]


def test_acknowledged_late() -> None:
    """Tier 2 was paged; the acknowledgement is recorded with who and when."""
    story = Story().until(16).do(ACK)
    assert story.tiers() == [(0, 1), (15, 2)]
    done = story.incident.acknowledgement
    assert done
    assert (done.by, done.at) == ("UONCALL", story.now)


def test_root_cause_in_time_keeps_the_manager_asleep() -> None:
    """With a root cause within 30 minutes tier 3 hears of it at 2 hours only."""
    story = Story().until(5).do(ACK).until(20).do(CAUSE).until(121)
    assert story.tiers() == [(0, 1), (120, 3), (120, 4)]


def test_a_fix_that_did_not_hold_pages_the_manager() -> None:
    """Fix failed is an event that pages tier 3 at once, and the work begins anew."""
    story = Story().do(ACK).do(CAUSE).until(20).do(FIX).until(25).do(HELD_NOT)
    assert story.tiers() == [(0, 1), (25, 3)]
    assert story.incident.status is Status.INVESTIGATING


def test_resolution_clocks_rest_while_a_fix_is_watched() -> None:
    """At 2 hours nobody is paged while monitoring; when the fix failed, what is overdue fires at once."""
    story = Story().do(ACK).do(CAUSE).until(110).do(FIX).until(135)
    assert story.tiers() == [(0, 1)]
    assert story.do(HELD_NOT).tiers() == [(0, 1), (135, 3), (135, 4)]


def test_monitoring_asks_whether_it_held() -> None:
    """Thirty minutes after the fix the room is asked, and again until there is an answer; the commander once."""
    story = Story().do(ACK).do(CAUSE).until(20).do(FIX).until(81)
    assert story.minutes(EntryKind.MONITORED) == [50, 80]
    assert story.told(EntryKind.MONITORED) == ["UONCALL"]
    assert story.incident.status is Status.MONITORING


@pytest.mark.parametrize(("end", "status"), [(RESOLVE, Status.RESOLVED), (moves.Cancel(by="U1"), Status.CANCELLED)])
def test_a_closed_incident_is_silent(end: moves.Resolve | moves.Cancel, status: Status) -> None:
    """Once it is closed nobody is paged, and nothing is waiting but its review."""
    story = Story().until(3).do(end).until(600)
    assert story.incident.status is status
    assert story.tiers() == [(0, 1)]
    waiting = {c.kind for c in story.incident.checkpoints}
    assert waiting == ({CheckpointKind.REVIEW} if status is Status.RESOLVED else set())


def test_reopened_nobody_knows_when_it_ends() -> None:
    """What was expected before it was called off says nothing about now."""
    update = moves.PostUpdate(by="UONCALL", progress="Half of it is back", eta="20 minutes")
    assert Story().do(update).do(moves.Cancel(by="UONCALL")).do(moves.Reopen(by="UONCALL")).incident.eta == ""


def test_reopened_everything_starts_again() -> None:
    """Reopening pages tier 1 at once, and all clocks run from then."""
    story = Story().do(ACK).until(40).do(RESOLVE).until(100).do(moves.Reopen(by="UREPORTER")).until(131)
    assert story.tiers() == [(0, 1), (30, 3), (100, 1), (115, 2), (130, 3)]
    assert story.incident.acknowledgement is None
    assert story.incident.declared_at == START


# Repeats -------------------------------------------------------------------------------------------------------------


def test_an_unanswered_page_is_repeated_three_times() -> None:
    """Every five minutes, three times at most, for each person by themselves."""
    story = Story(roster=roster_with(backup=())).do(moves.Acknowledge(by="UREPORTER")).until(60)
    assert story.sends("UDEVOPS") == 4
    assert story.minutes(EntryKind.REPEATED)[:3] == [5, 10, 15]


def test_whatever_a_person_does_answers_their_page() -> None:
    """The DevOps lead who posts an update is not paged again; the others are."""
    story = Story().until(2).do(moves.PostUpdate(by="UDEVOPS", progress="Looking")).until(6)
    assert story.sends("UDEVOPS") == 1
    assert story.sends("UBACKEND") == 2


def test_a_new_page_takes_the_place_of_the_repeat() -> None:
    """At 15 minutes the on-call engineer gets the page of tier 2 and not a repeat beside it."""
    story = Story().until(15)
    assert story.sends("UONCALL") == 4  # at 0, 5, 10 and 15
    assert [p.state for p in story.incident.pages if p.person == "UONCALL"] == [PageState.REPLACED, PageState.OPEN]


# Escalate ------------------------------------------------------------------------------------------------------------


def test_escalate_pages_one_unpaged_tier_at_a_time() -> None:
    """Each press pages the next tier; when all were paged it says so."""
    story = Story()
    for _ in range(3):
        story.do(moves.Escalate(by="UREPORTER"))
    assert [t for _, t in story.tiers()] == [1, 2, 3, 4]
    with pytest.raises(Refused, match="Every tier has been paged"):
        story.do(moves.Escalate(by="UREPORTER"))


def test_two_presses_on_one_card_escalate_once() -> None:
    """The second press carries what its card showed, and that is old now."""
    story = Story()
    seen = story.incident.tiers_paged
    story.do(moves.Escalate(by="UREPORTER", seen=seen))
    with pytest.raises(Refused, match="lready escalated"):
        story.do(moves.Escalate(by="UDEVOPS", seen=seen))
    assert [t for _, t in story.tiers()] == [1, 2]


def test_a_tier_paged_by_hand_is_not_paged_again_by_its_checkpoint() -> None:
    """Escalated to tier 2 at minute 5: its checkpoint at 15 is moot."""
    assert Story().until(5).do(moves.Escalate(by="UREPORTER")).until(29).tiers() == [(0, 1), (5, 2)]


def test_escalate_goes_up_then_fills_what_was_left_out() -> None:
    """With tier 3 in, Escalate pages tier 4, and tier 2 only after it."""
    story = Story().do(ACK).until(31)
    story.do(moves.Escalate(by="UREPORTER")).do(moves.Escalate(by="UREPORTER"))
    assert [t for _, t in story.tiers()] == [1, 3, 4, 2]


def test_whoever_escalates_is_not_paged_by_it() -> None:
    """The manager presses Escalate at tier 2: tier 3 is only they themselves, so tier 4 is paged."""
    story = Story().until(16).do(moves.Escalate(by="UMANAGER"))
    assert [t for _, t in story.tiers()] == [1, 2, 4]


# Nobody there --------------------------------------------------------------------------------------------------------


def test_an_empty_tier_is_skipped_at_once() -> None:
    """Nobody in tier 1: tier 2 is paged in the same second, it is said, and the checkpoint of tier 2 is moot."""
    story = Story(roster=roster_with(on_call=(), devops_lead=(), backend_lead=())).until(29)
    assert story.tiers() == [(0, 2)]
    assert story.minutes(EntryKind.SKIPPED) == [0]


def test_nobody_on_call_is_said_aloud() -> None:
    """The leads are paged, and the page says that nobody holds the role."""
    _, entry = next(Story(roster=roster_with(on_call=())).entries(EntryKind.PAGED))
    assert entry.fields["empty_roles"] == "on-call engineer"


def test_a_tier_reached_through_an_empty_one_is_paged_once() -> None:
    """At 2 hours tiers 3 and 4 are due; tier 3 is empty and has paged tier 4 already."""
    story = Story(roster=roster_with(engineering_manager=())).do(ACK).do(CAUSE).until(121)
    assert story.tiers() == [(0, 1), (120, 4)]
    assert story.minutes(EntryKind.SKIPPED) == [120]


def test_nobody_above_is_said_once() -> None:
    """At 2 hours tiers 3 and 4 are due and both are empty: each is skipped once, and whoever is left below is paged."""
    story = Story(roster=roster_with(engineering_manager=(), executives=())).do(ACK).do(CAUSE).until(121)
    assert story.minutes(EntryKind.SKIPPED) == [120, 120]
    assert story.tiers() == [(0, 1), (120, 2)]
    assert not story.incident.nobody_left


def test_what_counts_from_a_fix_that_failed_is_over() -> None:
    """It begins again with the next fix."""
    plan = PlannedCheckpoint.model_validate(
        {"id": "soaked", "after": "20m", "since": "fix_applied", "say": "Is it quiet?", "why": "it had time to settle"}
    )
    story = Story()
    before = story.incident.policy
    policy = before.model_copy(update={"checkpoints": (*before.checkpoints, plan)})
    story.incident = story.incident.model_copy(update={"policy": policy})
    story.do(FIX).until(10).do(HELD_NOT).until(40).do(FIX)
    assert [m for m, name in story.until(70).fired() if name == "soaked"] == [60]


def test_nobody_left_to_page() -> None:
    """With no role held by anybody the incident says so at once, and goes on."""
    story = Story(roster=Roster()).until(14)
    assert story.minutes(EntryKind.SKIPPED) == [0, 0, 0, 0]
    assert story.incident.nobody_left
    assert story.incident.open


def test_whoever_comes_on_duty_after_nobody_was_left_is_paged() -> None:
    """The tiers were empty at the declaration; each is tried again at its own time."""
    story = Story(roster=Roster()).until(10)
    story.roster = roster_with()
    assert story.until(121).tiers() == [(15, 2), (30, 3), (120, 4)]
    assert not story.incident.nobody_left


def first_page(story: Story, person: str) -> str:
    sends = (e for e in story.incident.effects if isinstance(e, SendPage))
    return next(e.id for e in sends if story.incident.page(e.page).person == person)


def test_a_person_who_left_is_escalated_past_at_once() -> None:
    """The page is refused by the person: the next tier is paged now, once, however many are refused."""
    story = Story().until(1)
    story.do(outcomes.PersonRefused(effect=first_page(story, "UONCALL"), why="account deactivated"))
    story.do(outcomes.PersonRefused(effect=first_page(story, "UDEVOPS"), why="account deactivated"))
    assert story.tiers() == [(0, 1), (1, 2)]
    assert len(story.minutes(EntryKind.REFUSED)) == 2


def test_a_refusal_on_the_top_tier_leaves_the_others_there() -> None:
    """One of two on the top tier left: nobody above, but somebody there was reached, so nobody is missing."""
    story = Story().until(121)
    story.do(outcomes.PersonRefused(effect=first_page(story, "UCTO"), why="account deactivated"))
    assert not story.incident.nobody_left


# Updates -------------------------------------------------------------------------------------------------------------


def test_a_reminder_comes_only_when_no_update_came() -> None:
    """An update at minute 20 sets the next one to 50; nothing is asked at 30."""
    story = Story().do(ACK).do(CAUSE).until(20).do(moves.PostUpdate(by="UONCALL", progress="Deploying")).until(70)
    assert story.minutes(EntryKind.UPDATE_DUE) == [50]


def test_ten_minutes_of_silence_later_the_commander_is_told() -> None:
    """Until one is named, that is who acknowledged, else who is on call."""
    assert Story().until(41).told(EntryKind.SILENCE) == ["UONCALL"]
    assert Story().do(moves.Acknowledge(by="UDEVOPS")).until(41).told(EntryKind.SILENCE) == ["UDEVOPS"]
    late = Story().until(35).do(moves.PostUpdate(by="UONCALL", progress="Sorry, here it is")).until(41)
    assert late.told(EntryKind.SILENCE) == []


def test_a_different_promise_moves_the_next_update() -> None:
    """An update that promises the next one in an hour is reminded of after an hour."""
    update = moves.PostUpdate(by="UONCALL", progress="Restoring", next_in=parse_duration("1h"))
    assert Story().do(ACK).until(10).do(update).until(99).minutes(EntryKind.UPDATE_DUE) == [70]


def test_an_update_may_move_the_status() -> None:
    """Saying 'identified' in an update records the root cause; a status out of reach is refused."""
    story = Story().do(ACK).do(moves.PostUpdate(by="UONCALL", progress="It is the pool", status=Status.IDENTIFIED))
    assert story.incident.status is Status.IDENTIFIED
    assert story.incident.root_cause
    with pytest.raises(Refused, match="cannot move"):
        story.do(moves.PostUpdate(by="UONCALL", progress="Done", status=Status.RESOLVED))


def test_after_an_outage_one_reminder_comes_not_four() -> None:
    """Two hours away: the tiers due are paged, and one reminder asks for an update."""
    story = Story().do(ACK).jump(125)
    assert story.minutes(EntryKind.UPDATE_DUE) == [125]
    assert [t for _, t in story.tiers()] == [1, 3, 4]


# Speed and doubles ---------------------------------------------------------------------------------------------------


def test_speed_divides_every_distance() -> None:
    """At 60x fifteen minutes take fifteen seconds."""
    assert Story(speed=60).until(5).tiers() == [(0, 1), (0.25, 2), (0.5, 3), (2, 4), (4, 4)]


def test_a_doubled_submit_changes_nothing() -> None:
    """The same modal submitted twice is one update."""
    update = moves.PostUpdate(by="UONCALL", progress="Once", key="modal-7")
    story = Story().do(update)
    assert story.do(update).incident is story.incident
    assert len(story.minutes(EntryKind.UPDATE)) == 1


def test_an_early_alarm_does_nothing() -> None:
    """A job that arrives before its time finds nothing due."""
    story = Story()
    before = story.incident
    assert story.jump(14.99).incident.tiers_paged == before.tiers_paged


# Security later on ---------------------------------------------------------------------------------------------------


def deliver_card(story: Story) -> None:
    card = next(e for e in story.incident.effects if isinstance(e, PostCard))
    story.do(outcomes.Delivered(effect=card.id, channel="CPUBLIC", ts="1.1", face=story.incident.face))


def test_marked_as_security_later_on() -> None:
    """The security team is paged, a private room opens, public words are called off and the public card is redacted."""
    story = Story().until(3)
    deliver_card(story)
    story.do(moves.MarkSecurity(by="UONCALL", why="a leaked key"))
    incident = story.incident
    assert [p.person for p in incident.pages if p.tier == 0] == ["USEC1", "USEC2"]
    assert [(e.private, e.name[:21]) for e in incident.effects if isinstance(e, OpenRoom) and not e.withdrawn] == [
        (True, "inc-001-private-check")
    ]
    assert [(c.kind, c.redacted, c.final) for c in incident.copies] == [(CopyKind.CHANNEL, True, True)]
    says = [e for e in incident.effects if isinstance(e, Say) and not e.withdrawn]
    assert all(incident.entry(e.entry).at == story.now for e in says)
    with pytest.raises(Refused, match="already"):
        story.do(moves.MarkSecurity(by="UONCALL"))


def test_a_card_that_went_out_while_it_became_private_is_redacted() -> None:
    """A public post called off too late is found and redacted."""
    story = Story().until(1)
    card = next(e for e in story.incident.effects if isinstance(e, PostCard))
    story.do(moves.MarkSecurity(by="UONCALL")).do(
        outcomes.Delivered(effect=card.id, channel="CPUBLIC", ts="1.1", face=1)
    )
    assert [(c.channel, c.redacted) for c in story.incident.copies] == [("CPUBLIC", True)]


def test_the_last_refresh_of_a_copy_waits_for_the_one_on_its_way() -> None:
    """A refresh that was drawn with buttons arrives: the copy that a newer page replaced is drawn once more."""
    story = Story()
    deliver = first_page(story, "UONCALL")
    story.do(outcomes.Delivered(effect=deliver, channel="D1", ts="1.1", face=story.incident.face))
    story.do(moves.StartFix(by="UDEVOPS"))
    on_its_way = f"{deliver}-refresh"
    assert story.incident.effect(on_its_way)
    story.do(moves.PagePeople(by="U1", people=("UONCALL",)))
    newer = [e.id for e in story.incident.effects if isinstance(e, SendPage)][-1]
    story.do(outcomes.Delivered(effect=newer, channel="D1", ts="2.2", face=story.incident.face))
    last = story.incident.effect(f"{deliver}-final")
    assert last
    assert last.after == on_its_way
    story.do(outcomes.Delivered(effect=on_its_way, channel="D1", ts="1.1", face=story.incident.face))
    assert story.incident.effect(last.id)


# Others --------------------------------------------------------------------------------------------------------------


def test_a_second_acknowledgement_is_refused_kindly_or_joins() -> None:
    """Who was paged joins; who was not is told who has it."""
    story = Story().do(ACK).do(moves.Acknowledge(by="UDEVOPS"))
    assert story.incident.assigned == ("UONCALL", "UDEVOPS")
    with pytest.raises(Refused, match="already acknowledged it"):
        story.do(moves.Acknowledge(by="USTRANGER"))


def test_somebody_not_paged_acknowledges() -> None:
    """Anyone's click acknowledges and assigns; the timeline says that they were not paged."""
    _, entry = next(Story().do(moves.Acknowledge(by="UREPORTER")).entries(EntryKind.ACKNOWLEDGED))
    assert entry.fields["paged"] == "no"


@pytest.mark.parametrize("work", [CAUSE, moves.StartFix(by="UONCALL"), FIX])
def test_whoever_works_on_it_has_acknowledged(work: moves.RootCause | moves.StartFix | moves.FixApplied) -> None:
    """Finding the cause or fixing acknowledges what nobody had acknowledged."""
    assert Story().do(work).incident.acknowledgement


def test_a_page_by_name_and_by_role() -> None:
    """Anybody can be called in; a role that nobody holds is refused with its name."""
    story = Story().do(moves.PagePeople(by="UONCALL", people=("UDBA",), why="knows the pool"))
    assert story.incident.pages[-1].person == "UDBA"
    story.do(moves.PagePeople(by="UONCALL", roles=("executives",)))
    assert [p.person for p in story.incident.pages[-2:]] == ["UCTO", "UEXEC"]
    story.roster = roster_with(executives=())
    with pytest.raises(Refused, match="Nobody holds the role CTO and executives"):
        story.do(moves.PagePeople(by="UONCALL", roles=("executives",)))


def test_raised_to_p0_starts_its_clocks_then() -> None:
    """Who is in is not paged twice; the newcomers of tier 1 are, and the clocks run from the change."""
    p0 = kars().severities[Severity.P0]
    story = Story("P1").do(ACK).until(20).do(moves.ChangeSeverity(by="UONCALL", policy=p0, why="all users")).until(51)
    assert story.tiers() == [(0, 1), (20, 1), (50, 3)]
    assert [p.person for p in story.incident.pages] == ["UONCALL", "UDEVOPS", "UBACKEND", "UMANAGER"]
    assert any(isinstance(e, OpenRoom) for e in story.incident.effects)


def test_lowered_leaves_passed_checkpoints_behind() -> None:
    """Lowered to P1 at minute 130: the 1-hour and 2-hour marks are moot, the 4-hour one fires."""
    p1 = kars().severities[Severity.P1]
    story = Story().do(ACK).do(CAUSE).until(130).do(moves.ChangeSeverity(by="UONCALL", policy=p1, why="one page only"))
    assert story.until(241).tiers()[-1] == (240, 4)


def test_lowered_asks_for_the_next_update_from_then() -> None:
    """Lowered at minute 130, right after an update: the hourly reminder of P1 comes at 190 and not at once."""
    update = moves.PostUpdate(by="UONCALL", progress="Half of it is back")
    lower = moves.ChangeSeverity(by="UONCALL", policy=kars().severities[Severity.P1], why="one page only")
    story = Story().do(ACK).do(CAUSE).until(129).do(update).until(130).do(lower)
    before = len(story.minutes(EntryKind.UPDATE_DUE))
    assert story.until(191).minutes(EntryKind.UPDATE_DUE)[before:] == [190]


@pytest.mark.parametrize("severity", ["P1", "P2", "P3"])
def test_lowered_keeps_what_earlier_pages_said(severity: str) -> None:
    """Tiers that are fewer or other tiers: the manager's page still says as whom, and is not sent again."""
    lower = kars().severities[Severity(severity)]
    story = Story().until(31).do(moves.ChangeSeverity(by="UREPORTER", policy=lower, why="less"))
    manager = story.incident.pages[-1]
    assert "tier 3, Engineering manager" in str(page_reason(story.incident, manager.n))
    assert manager.state is PageState.WITHDRAWN
    repeats = (u for u in upcoming(story.incident, lambda at: story.roster) if u.kind is CheckpointKind.REPEAT)
    assert manager.person not in {p for u in repeats for p in u.people}


@pytest.mark.parametrize("severity", ["P1", "P2"])
def test_the_refusal_of_a_withdrawn_page_escalates_nothing(severity: str) -> None:
    """Lowered while the on-call's page was on its way: neither severity pages at once, so that page is withdrawn."""
    story = Story()
    page = next(e for e in story.incident.effects if isinstance(e, SendPage) and e.page == 1)
    story.change_to(severity, by="UREPORTER").do(
        outcomes.PersonRefused(effect=page.id, why="the account is deactivated")
    )
    assert story.tiers()[1:] == []
    assert story.minutes(EntryKind.REFUSED) == []
    assert not story.incident.nobody_left


def test_a_room_that_opened_is_on_the_record() -> None:
    """RoomOpened stores the room and refreshes what shows it."""
    story = Story()
    opened = next(e for e in story.incident.effects if isinstance(e, OpenRoom))
    story.do(outcomes.RoomOpened(effect=opened.id, room=Room(channel="CROOM", name=opened.name, private=False)))
    assert story.incident.room
    assert story.minutes(EntryKind.ROOM_OPENED) == [0]


def test_a_security_resolution_is_said_once() -> None:
    """The thread of a private incident stands in its room: one message serves both."""
    story = Story(security=True).do(ACK)
    before = {e.id for e in story.incident.effects}
    said = [e for e in story.do(RESOLVE).incident.effects if isinstance(e, Say) and e.id not in before]
    told = [
        (e.place, e.broadcast) for e in said if EntryKind.RESOLVED in {story.incident.entry(n).kind for n in e.entries}
    ]
    assert told == [(Place.THREAD, True)]


# Outcomes ------------------------------------------------------------------------------------------------------------


def private_with_a_card() -> Story:
    """A security incident whose room is open and has its card."""
    story = Story(security=True)
    opened = next(e for e in story.incident.effects if isinstance(e, OpenRoom))
    story.do(outcomes.RoomOpened(effect=opened.id, room=Room(channel="CPRIVATE1", name=opened.name, private=True)))
    card = next(e for e in story.incident.effects if isinstance(e, PostCard))
    return story.do(outcomes.Delivered(effect=card.id, channel="CPRIVATE1", ts="1.1", face=story.incident.face))


def test_what_was_to_be_said_in_a_lost_private_room_is_said_in_the_next() -> None:
    """All of it waits for the new card, in its order, the message that found the room gone included."""
    story = private_with_a_card().do(ACK)
    says = [e for e in story.incident.effects if isinstance(e, Say)]
    story.do(outcomes.Dropped(effect=says[0].id, why="is_archived", gone="CPRIVATE1"))
    story.do(outcomes.Dropped(effect=says[0].id, why="is_archived", gone="CPRIVATE1"))
    card = next(e for e in story.incident.effects if isinstance(e, PostCard))
    waiting = [e for e in story.incident.effects if isinstance(e, Say)]
    assert [e.entry for e in waiting[: len(says)]] == [e.entry for e in says]
    assert [e.after for e in waiting] == [card.id, *(e.id for e in waiting[:-1])]
    assert len(story.minutes(EntryKind.ROOM_LOST)) == 1


def test_a_late_word_of_the_lost_room_does_not_lose_the_next() -> None:
    """A slow answer about the first room arrives when the second one is open."""
    story = private_with_a_card().do(ACK)
    first, *_, last = [e for e in story.incident.effects if isinstance(e, Say)]
    story.do(outcomes.Dropped(effect=first.id, why="is_archived", gone="CPRIVATE1"))
    opened = next(e for e in story.incident.effects if isinstance(e, OpenRoom))
    story.do(outcomes.RoomOpened(effect=opened.id, room=Room(channel="CPRIVATE2", name=opened.name, private=True)))
    story.do(outcomes.Dropped(effect=last.id, why="is_archived", gone="CPRIVATE1"))
    assert story.incident.room
    assert not story.incident.room.lost


def test_the_trouble_with_a_refresh_is_over_once_it_went_out() -> None:
    """The card stops saying that something is not delivered, and is refreshed for it."""
    story = private_with_a_card().do(ACK)
    refresh = next(e for e in story.incident.effects if isinstance(e, Refresh))
    story.do(outcomes.Trouble(effect=refresh.id, why="the bot token was revoked"))
    assert story.incident.troubles
    story.do(outcomes.Delivered(effect=refresh.id, channel="CPRIVATE1", ts="1.1", face=story.incident.face))
    assert story.incident.troubles == {}
    assert next(e for e in story.incident.effects if isinstance(e, Refresh)).face == story.incident.face


def test_the_trouble_with_a_public_card_is_over_once_it_is_called_off() -> None:
    """Marked as security while the incidents channel was archived: nothing is being retried there."""
    story = Story()
    card = next(e for e in story.incident.effects if isinstance(e, PostCard))
    story.do(outcomes.Trouble(effect=card.id, why="#incidents is archived")).do(moves.MarkSecurity(by="UONCALL"))
    assert story.incident.troubles == {}


def test_a_checkpoint_that_a_policy_calls_update_is_no_reminder() -> None:
    """Ids of planned checkpoints are the policy's to choose: none is the same as one of ours."""
    incident = Story().incident
    ours = {c.id for c in incident.checkpoints if c.kind is not CheckpointKind.POLICY}
    plan = incident.policy.checkpoints[0].model_copy(update={"id": "update"})
    policy = incident.policy.model_copy(update={"checkpoints": (plan,)})
    renamed = incident.model_copy(update={"policy": policy})
    theirs = [c.id for c in planned(renamed, Moment.START, START)]
    assert not ours & {c for c in theirs if c.startswith("update")}


def test_what_waited_for_its_turn_is_due_from_then_on() -> None:
    """A thread whose card came late is not late itself: the sweep would take its jobs for lost."""
    story = Story().until(3)
    card = next(e for e in story.incident.effects if isinstance(e, PostCard))
    follower = next(e for e in story.incident.effects if e.after == card.id)
    deliver_card(story)
    turn = story.incident.effect(follower.id)
    assert turn
    assert (turn.at, turn.after) == (story.now, "")
