"""Replay: the same policy gives no difference, a changed one exactly what it would have paged."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.config.policy import Policy, Severity
from escalation.incident.effects import SendPage
from escalation.incident.events.moves import Acknowledge, ChangeSeverity, Decline, Schedule
from escalation.incident.events.news import RolesChanged, SignOfLife
from escalation.incident.events.outcomes import PersonRefused
from escalation.incident.model import Incident
from escalation.replay.comparison import Comparison, compare
from tests.engine.test_state_machine import CALENDARS, SEVERITIES, STEPS, Step, take
from tests.support.incidents import RESOLVE
from tests.support.profiles import examples
from tests.support.story import Story, roster_with, shipped

MORE: list[dict[str, Any]] = [{}, {"security": True}, {"drill": True}, {"outage": True, "major_impact": True}]


def compared(story: Story, policy: Policy | None = None, **changed: tuple[str, ...]) -> Comparison:
    """The incident, replayed by a policy (its own), where the configuration says `changed` of roles meanwhile."""
    roster = roster_with(**changed)
    return compare([story.incident], policy or story.policy, lambda at: roster, story.now, "Europe/Berlin")


def with_rules(policy: str, severity: str, **rules: Any) -> Policy:
    """A shipped policy with other rules of a severity."""
    whole = shipped(policy)
    changed = whole.severities[Severity(severity)].model_copy(update=rules)
    return whole.model_copy(update={"severities": {**whole.severities, Severity(severity): changed}})


def no_difference(found: Comparison) -> bool:
    tallies = (*found.severities.values(), *found.people.values())
    return not found.differing and not found.deviating and all(tally.same for tally in tallies)


@given(st.lists(STEPS, max_size=14), st.sampled_from(SEVERITIES), CALENDARS, st.sampled_from(MORE))
@settings(max_examples=examples(150), deadline=None)
def test_the_same_policy_gives_no_difference_and_replays_what_was_recorded(
    steps: list[Step], born: tuple[str, Severity], calendar: Any, more: dict[str, Any]
) -> None:
    """Every incident, whatever people did, is replayed from its timeline to the same pages at the same times."""
    story = Story(born[1], policy=born[0], calendar=calendar, **more)
    for step in steps:
        take(story, step.severity if isinstance(step, ChangeSeverity) else step)  # to a severity of its own policy
    assert no_difference(compared(story))


def acknowledged_after(minutes: float) -> Story:
    return Story("P1").until(minutes).do(Acknowledge(by="UONCALL")).until(minutes + 30).do(RESOLVE)


def test_people_who_left_since_are_paged_as_they_were_then() -> None:
    """Who held a role is read from the record: a schedule that was changed afterwards makes no difference."""
    assert no_difference(compared(acknowledged_after(40), on_call=("UNEW",), backup=(), devops_lead=("UNEW",)))


def test_a_later_tier_is_reached_earlier_where_the_policy_says_so() -> None:
    """Each page of both policies is compared with its counterpart, and how much earlier it came is said."""
    story = acknowledged_after(200)
    rules = story.policy.severities[Severity.P1]
    later = [c for c in rules.checkpoints if c.page]
    halved = tuple(
        c.model_copy(update={"after": c.after.model_copy(update={"length": c.after.length / 2})}) if c.page else c
        for c in rules.checkpoints
    )
    found = compared(story, with_rules("kars", "P1", checkpoints=halved))
    assert later
    assert found.differing == (story.incident.id,)
    assert found.severities["P1"].earlier
    assert not found.severities["P1"].later
    assert not found.deviating


def test_a_policy_that_pages_nobody_again_has_fewer_pages_at_night() -> None:
    """Repeats count for the night too: each of them wakes somebody."""
    story = Story("P0", start=Story().start.replace(hour=2)).until(60).do(RESOLVE)
    rules = story.policy.severities[Severity.P0]
    silent = tuple(tier.model_copy(update={"repeat_pages": None}) for tier in rules.tiers)
    found = compared(story, with_rules("kars", "P0", tiers=silent, repeat_pages=None)).severities["P0"]
    assert (found.before, found.more, found.fewer) == (found.after, 0, 0)
    assert found.repeats_after < found.repeats_before
    assert found.night_after < found.night_before


def test_an_outage_is_replayed_as_an_outage() -> None:
    """What was due while Tocsin was away fired when it was back, under both policies."""
    story = Story("P0").until(3).jump(50).until(90).do(Acknowledge(by="UONCALL")).until(99).do(RESOLVE)
    assert no_difference(compared(story))


def test_a_page_that_could_not_reach_its_person_is_refused_again() -> None:
    """The next tier was paged at once then, and is in the replay."""
    story = Story("P1").until(1)
    page = next(e for e in story.incident.effects if isinstance(e, SendPage))
    story.do(PersonRefused(effect=page.id, why="user_not_found")).until(40).do(RESOLVE)
    assert len(story.incident.pages) > 1
    assert no_difference(compared(story))


def test_a_handover_is_replayed() -> None:
    """Open pages moved to whoever came on call then; the record says when, and who."""
    story = Story("P1").until(2)
    story.roster = roster_with(on_call=("UNEXT",))
    story.do(RolesChanged()).until(40).do(RESOLVE)
    assert any(page.moved_from for page in story.incident.pages)
    assert no_difference(compared(story, on_call=("UNEXT",)))
    assert no_difference(compared(story))


def test_somebody_who_looked_at_it_is_not_paged_again() -> None:
    """A press that changes nothing leaves no entry; that their page was repeated no more shows it."""
    story = Story("P0").until(1).do(SignOfLife(by="UONCALL")).until(40).do(RESOLVE)
    assert no_difference(compared(story))


def test_who_declined_declines_again() -> None:
    """Their page passes to the next tier at the same time."""
    assert no_difference(compared(Story("P1").until(3).do(Decline(by="UONCALL")).until(50).do(RESOLVE)))


def test_what_a_policy_would_have_refused_is_counted() -> None:
    """Work on a ticket is scheduled; where the changed policy handles it now, that is refused, and said."""
    story = Story("P2").until(10).do(Schedule(by="UONCALL", when="sprint 12")).until(30).do(RESOLVE)
    found = compared(story, with_rules("kars", "P2", ticket=None))
    assert (found.refused, found.deviating) == (1, ())


def test_an_incident_whose_severity_the_policy_lacks_is_named() -> None:
    """Nothing is left out in silence."""
    story = acknowledged_after(10)
    less = shipped("kars").model_copy(
        update={"severities": {s: p for s, p in shipped("kars").severities.items() if s is not Severity.P1}}
    )
    found = compared(story, less)
    assert (found.replayed, found.unplayable) == (0, (story.incident.id,))


@pytest.mark.parametrize("hours", [1, 24 * 89])
def test_an_open_incident_is_replayed_until_now(hours: int) -> None:
    """However long it has been open: reminders that repeat for ever cost nothing."""
    story = Story("P1").until(30)
    story.now += timedelta(hours=hours)
    found = compared(story, with_rules("kars", "P1", checkpoints=()))
    assert found.replayed == 1


def test_the_record_itself_is_left_alone() -> None:
    """Replaying reads."""
    story = acknowledged_after(10)
    before: Incident = story.incident
    compared(story)
    assert story.incident == before
